package scskit

import (
	"bytes"
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

// Tracker is what WithTracker adds to a context, for adapters, that can have it in one piece of
// memory with what else a request needs. The zero value is ready for use, by one request; it must
// not be copied.
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

// Found reports whether the *Store that StoreOf finds in store has found a session for token in a
// context with this very tracker, and has not deleted it since.
func (t *Tracker) Found(store scs.Store, token string) bool {
	s, ok := StoreOf(store)
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
	// Merged is the session as it is stored, if it holds what other requests have changed too.
	Merged []byte
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

// LastCommit returns what became of the last commit for token in a context with a tracker. It is
// Stored also if an earlier commit stored something and the last had nothing to add. ok is false if
// there was none, or the manager's store is not a *Store.
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

type loadedKey struct{}

// WithLoaded returns a context for a commit that says which token its manager has loaded the
// session for, "" if there was none. Where several managers share a store and a tracker, the store
// can then tell which of the sessions that are being renewed a new token carries on. It is for
// adapters.
func WithLoaded(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, loadedKey{}, token)
}

// Settle says that the response has begun whose cookie tells of the session with the token: from
// now on SessionManager.RenewToken fails for it, with ErrLate. It is for adapters.
func Settle(ctx context.Context, token string) {
	t := trackerFrom(ctx)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		n.settled = n.settled || n.token == token
	}
}

type trackerKey struct{}

// tracker is a context that carries notes about the sessions of one request.
// It is its own context, not a value in one, to save an allocation per request.
type tracker struct {
	context.Context

	mu    sync.Mutex
	first note // the only one, as a rule
	more  map[noteKey]*note

	manager  any // the key of the manager that was last asked to load a session
	renewals int // how many sessions RenewToken was called for

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
	store *Store // its origin
	token string
}

// note is what the tracker knows of one token in one store.
type note struct {
	store *Store // its origin
	token string
	base
	state  noteState
	commit Commit

	found   bool   // the record was loaded, and not made in this context
	settled bool   // the response has begun, so that the token cannot change any more
	merging bool   // SessionManager.MergeSession loaded it, into another session
	older   []base // other records that were handed out for the token

	// Not 0: it is to be retired by the commit that creates its successor. The highest is that of
	// the session that was renewed last, which is renewer.
	renewing int
	renewer  any
}

// base is a record as it was handed out, or as this request has stored it. What scs keeps in a
// context for a session that it has loaded tells the sessions of several loads apart.
type base struct {
	manager any // the key of the manager that loaded it, if that is known
	session any // what has the record as its base; nil until it commits
	loads   int // how many such there can be

	data    []byte // as handed to scs: the base of a merge
	expiry  time.Time
	created time.Time
	version int64 // the stored version; 0 if what is stored is not data
	rewrite bool  // save it again although unchanged
}

type noteState uint8

const (
	noteLive    noteState = iota + 1 // it was loaded or stored
	noteDeleted                      // this request has destroyed or renewed it
	noteGone                         // another request has destroyed it, or it has expired
	noteRenewed                      // another request has renewed it
	noteStray                        // this request has merged it, but another had destroyed it
)

func trackerFrom(ctx context.Context) *tracker {
	t, _ := ctx.Value(trackerKey{}).(*tracker)
	return t
}

func (t *tracker) Value(key any) any {
	if key == (trackerKey{}) {
		return t
	}
	if isManagerKey(key) {
		t.mu.Lock()
		t.manager = key
		t.mu.Unlock()
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
	return note{store: s.origin, token: token, base: base{manager: t.manager}}
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

// maxBases bounds how many records are kept of one token: of a loop, say, that loads it again and
// again in one context.
const maxBases = 8

// loaded notes a record that was handed out. See note.rebase.
func (t *tracker) loaded(n note) {
	old := t.get(n.store, n.token)
	t.mu.Lock()
	n.manager, n.loads = t.manager, 1
	t.mu.Unlock()
	switch {
	case old.state != noteLive:
	case old.session == nil && old.manager == n.manager && old.version == n.version && bytes.Equal(old.data, n.data):
		merging := n.merging
		n = old
		n.loads++
		n.merging = n.merging || merging
	default:
		n.commit, n.settled, n.older = old.commit, old.settled, old.older
		n.renewing, n.renewer = old.renewing, old.renewer
		n.keepOlder(old.base)
	}
	t.put(n)
}

// keepOlder keeps a record beside the note's own.
func (n *note) keepOlder(b base) {
	n.older = append([]base{b}, n.older...)
	n.older = n.older[:min(len(n.older), maxBases-1)]
}

// merges reports whether the manager that looks for a record has a session in ctx already, into
// which it is to be merged. A manager that loads one has asked the tracker for it in vain just
// before.
func (t *tracker) merges(ctx context.Context) bool {
	t.mu.Lock()
	manager := t.manager
	t.mu.Unlock()
	return manager != nil && ctx.Value(manager) != nil
}

// predecessor returns the note of the session that a new token carries on, if it is one of those
// that are being renewed. The state is 0 if there is none.
func (t *tracker) predecessor(ctx context.Context, s *Store) note {
	loaded, hinted := ctx.Value(loadedKey{}).(string)
	t.mu.Lock()
	defer t.mu.Unlock()
	var last note
	for n := range t.all {
		switch {
		case n.store != s.origin || n.renewing <= last.renewing:
		case n.renewer != nil && ctx.Value(n.manager) != n.renewer: // it was another's
		case hinted && n.found && n.token != loaded:
		default:
			last = *n
		}
	}
	return last
}

// renews notes that the commit that creates the session's successor is to retire it.
func (t *tracker) renews(ctx context.Context, n note) {
	if n.manager != nil {
		n.renewer = ctx.Value(n.manager)
	}
	t.mu.Lock()
	t.renewals++
	n.renewing = t.renewals
	t.mu.Unlock()
	t.put(n)
}

// notes returns the notes of the sessions in s that want is true of.
func (t *tracker) notes(s *Store, want func(*note) bool) []note {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []note
	for n := range t.all {
		if n.store == s.origin && want(n) {
			found = append(found, *n)
		}
	}
	return found
}

func (t *tracker) find(s *Store, token string) *note {
	if t.first.store == s.origin && t.first.token == token {
		return &t.first
	}
	return t.more[noteKey{s.origin, token}]
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
