package scskit

import (
	"context"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/bound"
)

// WithTracker returns a context in which a Store remembers, from loading a session to saving
// it, what it handed out. scs passes nothing of the kind between the two
// calls, and without it the store can only do what any scs store does: overwrite.
// With it, concurrent writes are merged, a destroyed session stays destroyed, a
// session that was only read costs no write, and a record that cannot be
// decoded is dropped instead of failing every request.
//
// The adapters do this for each request. Other code that uses a manager, such as
// a job or a websocket handler, opts in by loading the session from such a context:
//
//	ctx, err := sm.Load(scskit.WithTracker(ctx), token)
//
// One tracker serves one unit of work, a request say, on any number of goroutines
// and managers. If ctx has a tracker already, it is returned as it is.
func WithTracker(ctx context.Context) context.Context {
	if trackerFrom(ctx) != nil {
		return ctx
	}
	return &tracker{Context: ctx}
}

// Tracker is what WithTracker adds to a context, for adapters, that can have it in one piece of memory with
// what else a request needs. The zero value is ready for use, by one request; it must not be copied.
type Tracker struct{ tracker tracker }

// Context returns ctx with the tracker, or if ctx has one already, ctx as it is. It must be called
// once.
func (t *Tracker) Context(ctx context.Context) context.Context {
	if trackerFrom(ctx) != nil {
		return ctx
	}
	t.tracker.Context = ctx
	return &t.tracker
}

// Found reports whether store is a *Store that has found a session for token in a context with this very tracker, and
// has not deleted it since.
func (t *Tracker) Found(store scs.Store, token string) bool {
	s, ok := store.(*Store)
	return ok && t.tracker.get(s, token).state == noteLive
}

// Commit is what became of a commit to a Store in a context with a tracker.
type Commit struct {
	// State says what was stored.
	State CommitState
	// Expiry is when the stored record expires; zero if it is Gone. The cookie
	// should expire at the same time.
	Expiry time.Time
	// Value is what the cookie must hold in place of the token, if the store keeps sessions
	// in the client; otherwise it is empty.
	Value string
}

// CommitState says what became of a commit.
type CommitState uint8

const (
	// Kept says that nothing was written, since the stored record says the same and
	// lasts long enough.
	Kept CommitState = iota + 1
	// Stored says that the session, or its new expiry, was written.
	Stored
	// Gone says that the session was destroyed or renewed by another request, or has
	// expired. Nothing was stored, and the token is worth nothing.
	Gone
)

// LastCommit returns what became of the last commit for token in a context with a
// tracker. It is Stored also if an earlier commit stored something and the last had nothing to add. ok is false if there was none, or the manager's store is not a *Store.
func LastCommit(ctx context.Context, token string) (c Commit, ok bool) {
	t := trackerFrom(ctx)
	if t == nil {
		return Commit{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		if n.token == token && n.commit.State != 0 {
			return n.commit, true
		}
	}
	return Commit{}, false
}

type renewalKey struct{}

// WithRenewal returns a context for a commit that says whether a token which is new in it carries
// on the session that the request began with (SessionManager.RenewToken), or begins another (after
// Destroy). scs does not tell the store; an adapter can, by whether the manager has a token before
// the commit. Without it the store judges by what the two sessions have in common.
func WithRenewal(ctx context.Context, renewed bool) context.Context {
	return context.WithValue(ctx, renewalKey{}, renewed)
}

type trackerKey struct{}

// tracker is a context that carries notes about the sessions of one request.
// It is its own context, not a value in one, to save an allocation per request.
type tracker struct {
	context.Context

	mu    sync.Mutex
	first note // the only one, as a rule
	more  map[noteKey]*note

	// The context of the first operation, which for most requests is the only one.
	op    bound.Context
	begun bool
}

// room returns the memory for the context of an operation.
func (t *tracker) room() *bound.Context {
	if t == nil {
		return new(bound.Context)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begun {
		return new(bound.Context)
	}
	t.begun = true
	return &t.op
}

type noteKey struct {
	store *Store
	token string
}

// note is what the tracker knows of one token in one store.
type note struct {
	store   *Store
	token   string
	data    []byte // as handed to scs: the base of a merge
	expiry  time.Time
	created time.Time
	version int64 // the stored version; 0 if what is stored is not data
	rewrite bool  // save it again although unchanged
	state   noteState
	commit  Commit
}

type noteState uint8

const (
	noteLive    noteState = iota + 1 // it was loaded or stored
	noteDeleted                      // this request deleted it
	noteLost                         // this request meant to delete it, but another had done so
)

func trackerFrom(ctx context.Context) *tracker {
	t, _ := ctx.Value(trackerKey{}).(*tracker)
	return t
}

func (t *tracker) Value(key any) any {
	if key == (trackerKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// get returns a copy of the note for token; its state is 0 if there is none.
func (t *tracker) get(s *Store, token string) note {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.find(s, token); n != nil {
		return *n
	}
	return note{store: s, token: token}
}

// put replaces the note for n's token.
func (t *tracker) put(n note) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.find(n.store, n.token); old != nil {
		*old = n
		return
	}
	if t.first.store == nil {
		t.first = n
		return
	}
	if t.more == nil {
		t.more = make(map[noteKey]*note)
	}
	rare := n // so that n itself need not be on the heap
	t.more[noteKey{n.store, n.token}] = &rare
}

// loaded notes a record that was handed out. If there is a note of it already, that one stands:
// what the request changes may be based on either record, and a merge with the older one keeps
// what others have stored since.
func (t *tracker) loaded(n note) {
	if old := t.get(n.store, n.token); old.state == 0 {
		t.put(n)
	}
}

// lost returns the notes of the sessions in s that this request found already
// deleted when it deleted them.
func (t *tracker) lost(s *Store) []note {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lost []note
	for n := range t.all {
		if n.store == s && n.state == noteLost {
			lost = append(lost, *n)
		}
	}
	return lost
}

func (t *tracker) find(s *Store, token string) *note {
	if t.first.store == s && t.first.token == token {
		return &t.first
	}
	return t.more[noteKey{s, token}]
}

// all is an iterator over the notes.
func (t *tracker) all(yield func(*note) bool) {
	if t.first.store == nil || !yield(&t.first) {
		return
	}
	for _, n := range t.more {
		if !yield(n) {
			return
		}
	}
}
