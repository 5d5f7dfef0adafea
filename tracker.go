package scskit

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/tracking"
)

// WithTracker returns a context in which a Store tracks the sessions that are loaded and committed.
// A commit can then compare the session with the one that was loaded:
//
//   - Changes by concurrent requests are merged.
//   - A destroyed session stays destroyed.
//   - A session that was only read is not saved again.
//   - A record that cannot be decoded is dropped, and does not fail every request.
//
// Without a tracker a commit overwrites the stored session, as in every scs store.
//
// The adapters call WithTracker for each request. Other code that uses a session manager, such as a
// job or a websocket handler, calls it before it loads the session:
//
//	ctx, err := sm.Load(scskit.WithTracker(ctx), token)
//
// Use one tracker for one unit of work, such as a request. Any number of goroutines and managers
// may share it. If ctx already has a tracker, WithTracker returns ctx.
func WithTracker(ctx context.Context) context.Context {
	if trackerFrom(ctx) != nil {
		return ctx
	}
	return &tracker{Context: ctx}
}

var _ tracking.Tracker = (*tracker)(nil)

// tracker holds what a Store needs to know about the sessions of one unit of work: for each token,
// a note with the record that was loaded and what has happened to it since. It implements
// context.Context itself, which saves an allocation per request.
type tracker struct {
	context.Context

	mu    sync.Mutex
	first note // usually the only note
	more  map[noteKey]*note

	manager         any  // key of the manager that last looked for its session in the context
	severalManagers bool // several managers have done so
	managerKnown    bool // an adapter calls Asks, so that manager is always up to date
	renewals        int  // number of calls of RenewToken
	began           bool // the response has begun

	overwrites []string // the keys passed to Overwrite; copy on write

	locks []*SessionLock // held; see Store.Lock

	// The context of the first driver call. Most requests make only one, so this saves an allocation.
	op     bound.Context
	opUsed bool
}

// opContext returns an unused context for a driver call.
func (t *tracker) opContext() *bound.Context {
	if t == nil {
		return new(bound.Context)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opUsed {
		return new(bound.Context)
	}
	t.opUsed = true
	return &t.op
}

func trackerFrom(ctx context.Context) *tracker {
	t, _ := ctx.Value(tracking.Key{}).(*tracker)
	return t
}

func (t *tracker) Value(key any) any {
	if key == (tracking.Key{}) {
		return t
	}
	if tracking.IsManagerKey(key) {
		t.mu.Lock()
		t.noteManager(key)
		t.mu.Unlock()
	}
	return t.Context.Value(key)
}

// noteManager records which manager looks for its session. The caller holds t.mu.
func (t *tracker) noteManager(manager any) {
	t.severalManagers = t.severalManagers || t.manager != nil && t.manager != manager
	t.manager = manager
}

// get returns a copy of the note for token. Its state is 0 if there is none.
func (t *tracker) get(s *Store, token string) note {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.find(s, token); n != nil {
		return *n
	}
	return note{store: s.origin, token: token}
}

// update calls change with the note for token, and creates the note if necessary. Copies of a note
// share its slices and its extra, so change must replace them, not modify them. change runs with
// t.mu held and must not look up values in a context, since t may be that context.
func (t *tracker) update(s *Store, token string, change func(n *note)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.find(s, token); n != nil {
		change(n)
		return
	}
	n := &t.first
	if n.store != nil {
		if t.more == nil {
			t.more = make(map[noteKey]*note)
		}
		n = new(note)
		t.more[noteKey{s.origin, token}] = n
	}
	n.store, n.token = s.origin, token
	change(n)
}

// maxLoads is how many loads of one token are kept. A commit based on an older load fails.
const maxLoads = 32

// loaded records that a manager has loaded a record, and returns the data for the manager. If the
// token was loaded before, the data has its own deadline, so that chooseBase can find the load that
// a commit is based on; see base.
func (t *tracker) loaded(s *Store, token string, rec driver.Record, manager any) []byte {
	b := base{
		manager: manager,
		data:    rec.Data[:len(rec.Data):len(rec.Data)], // an append must not write to the note's data
		expiry:  rec.Expiry,
		created: rec.Created,
		user:    rec.User,
		version: rec.Version,
		rewrite: rec.Rewrite,
	}
	first := true
	t.update(s, token, func(n *note) {
		if first = n.state != noteLive; first {
			n.state, n.result, n.found, n.base = noteLive, CommitResult{}, true, b
			if n.extra != nil {
				n.extra = &noteExtra{renewals: n.extra.renewals, adopt: n.extra.adopt}
			}
			return
		}
		e := n.extras()
		e.reloads++
		b.offset = time.Duration(e.reloads)
		n.extra = &e
	})
	if first {
		return b.data
	}
	b.data, b.hasOffset = s.withOffset(b.data, b.offset)
	b.deadline = s.deadlineOf(b.data)
	t.update(s, token, func(n *note) {
		if n.deadline == nil {
			n.deadline = s.deadlineOf(n.data)
		}
		e := n.extras()
		e.more = append([]base{b}, e.more...)
		e.more = e.more[:min(len(e.more), maxLoads-1)]
		n.extra = &e
	})
	return b.data
}

// isSource reports whether MergeSession has merged the session with the token into the one in ctx.
// It is then not found again.
func (t *tracker) isSource(ctx context.Context, s *Store, token string) bool {
	return slices.ContainsFunc(t.sources(ctx, s),
		func(n note) bool { return n.token == token && n.state == noteLive })
}

// lastManager returns the key of the manager that last looked for its session in the context.
// SessionManager.Load does this before it calls the store.
func (t *tracker) lastManager() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager
}

// committer returns the key of the manager that commits, or nil if it is unknown.
func (t *tracker) committer(ctx context.Context) any {
	if manager, known := managerOf(ctx); known {
		return manager
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.severalManagers {
		return nil
	}
	return t.manager
}

// committed records the outcome of a commit. c is the commit's copy of the note. Changes that
// others have made to the note since it was copied are kept.
func (t *tracker) committed(c *note) {
	t.update(c.store, c.token, func(n *note) {
		n.result, n.alias = c.result, c.alias
		if n.state == 0 || n.state == noteLive || c.state != noteLive {
			n.state = c.state
		}
		if n.offset == c.offset {
			deadline := n.deadline
			n.base = c.base
			n.deadline = deadline // another load may have set it since
			return
		}
		e := n.extras()
		if i := slices.IndexFunc(e.more, func(b base) bool { return b.offset == c.offset }); i >= 0 {
			e.more = slices.Clone(e.more)
			e.more[i] = c.base
			n.extra = &e
		}
	})
}

// renews records that RenewToken was called for a session. The commit that creates the session's
// successor retires it.
func (t *tracker) renews(ctx context.Context, s *Store, n note) {
	sessions := n.loaders(ctx)
	t.update(s, n.token, func(n *note) {
		t.renewals++
		e := n.extras()
		e.renewals = append(slices.Clip(e.renewals), renewal{t.renewals, sessions})
		n.extra = &e
	})
}

// predecessor is a session that RenewToken was called for, and these calls.
type predecessor struct {
	note
	renewals []renewal
}

func (p *predecessor) lastRenewal() int { return p.renewals[len(p.renewals)-1].number }

// predecessors returns the sessions that the one in ctx replaces, the most recently renewed last.
func (t *tracker) predecessors(ctx context.Context, s *Store) (last []predecessor) {
	for _, n := range t.notes(s, func(n *note) bool { return len(n.extras().renewals) > 0 }) {
		if renewals := n.renewed(ctx); len(renewals) > 0 {
			last = append(last, predecessor{n, renewals})
		}
	}
	slices.SortFunc(last, func(a, b predecessor) int {
		return cmp.Compare(a.lastRenewal(), b.lastRenewal())
	})
	return last
}

// ended records that a session has ended, and removes the given renewals.
func (t *tracker) ended(s *Store, token string, state noteState, done []renewal) {
	t.update(s, token, func(n *note) {
		n.state = state
		if n.extra == nil {
			return
		}
		e := n.extras()
		e.renewals = slices.DeleteFunc(slices.Clone(e.renewals), func(r renewal) bool {
			return slices.ContainsFunc(done, func(d renewal) bool { return d.number == r.number })
		})
		n.extra = &e
	})
}

// addSource records that MergeSession was called with a session, and the state of that session. The
// target is the session in ctx of the manager that loaded the source last.
func (t *tracker) addSource(ctx context.Context, s *Store, n note, state noteState) {
	source := &mergeSource{base: n.bases()[0]}
	if key := source.manager; key != nil {
		if session := ctx.Value(key); session != nil {
			source.targets = []sessionRef{{key, session}}
		}
	}
	t.update(s, n.token, func(n *note) {
		if t.severalManagers && !t.managerKnown {
			source.targets = nil
		}
		e := n.extras()
		n.state, e.source = state, source
		n.extra = &e
	})
}

// endSource records that a session is no longer a merge source, and its new state.
func (t *tracker) endSource(s *Store, token string, state noteState) {
	t.update(s, token, func(n *note) {
		e := n.extras()
		n.state, e.source = state, nil
		n.extra = &e
	})
}

// noteAdopted records that the target of a merge also got these data of its source, which another
// request has saved since.
func (t *tracker) noteAdopted(s *Store, token string, data []byte) {
	t.update(s, token, func(n *note) {
		e := n.extras()
		if e.source == nil {
			return
		}
		a := *e.source
		a.adopted = append(slices.Clip(a.adopted), data)
		e.source = &a
		n.extra = &e
	})
}

// sources returns the sessions that MergeSession has merged into the one in ctx, or may have.
func (t *tracker) sources(ctx context.Context, s *Store) []note {
	all := t.notes(s, func(n *note) bool { return n.extra != nil && n.extra.source != nil })
	return slices.DeleteFunc(all, func(n note) bool {
		targets := n.extra.source.targets
		return len(targets) > 0 && !inContext(ctx, targets)
	})
}

// notes returns copies of the notes for s that match.
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
