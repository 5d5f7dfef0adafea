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

var _ tracking.Tracker = (*tracker)(nil)

// tracker is a context that carries notes about the sessions of one request.
// It is its own context, not a value in one, to save an allocation per request.
type tracker struct {
	context.Context

	mu    sync.Mutex
	first note // the only one, as a rule
	more  map[noteKey]*note

	manager  any  // the key of the manager that was last asked to load a session
	severalManagers  bool // there were others
	managersTold     bool // an adapter says which manager asks, each time
	renewals int  // how often RenewToken was called

	overwrites []string // the keys of Overwrite; replaced and not changed

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
		t.asked(key)
		t.mu.Unlock()
	}
	return t.Context.Value(key)
}

// asked notes which manager asks. The caller has the lock.
func (t *tracker) asked(manager any) {
	t.severalManagers = t.severalManagers || t.manager != nil && t.manager != manager
	t.manager = manager
}

// get returns a copy of the note for token; its state is 0 if there is none.
func (t *tracker) get(s *Store, token string) note {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.find(s, token); n != nil {
		return *n
	}
	return note{store: s.origin, token: token}
}

// update has change change the note for token, which it makes if there is none. Slices of a note
// are replaced and not changed, since copies share them. change must not use a context: that may
// come to the tracker.
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

// maxLoads bounds how many loads of one token are kept. The commit of one that was dropped fails.
const maxLoads = 32

// loaded notes a record that a manager gets, and returns what to hand out: from the second load of
// a token on with a deadline by which its commit will be known.
func (t *tracker) loaded(s *Store, token string, rec driver.Record, manager any) []byte {
	b := base{
		manager: manager,
		data:    rec.Data[:len(rec.Data):len(rec.Data)], // what is appended to it is not in the note
		expiry:  rec.Expiry, created: rec.Created, version: rec.Version, rewrite: rec.Rewrite,
	}
	first := true
	t.update(s, token, func(n *note) {
		if first = n.state != noteLive; first {
			n.state, n.result, n.found, n.base = noteLive, CommitResult{}, true, b
			if n.rare != nil {
				n.rare = &rare{renewals: n.rare.renewals}
			}
			return
		}
		r := n.rarely()
		r.marks++
		b.mark = time.Duration(r.marks)
		n.rare = &r
	})
	if first {
		return b.data
	}
	b.data, b.exact = s.marked(b.data, b.mark)
	b.handed = s.handedOut(b.data)
	t.update(s, token, func(n *note) {
		if n.handed == nil {
			n.handed = s.handedOut(n.data)
		}
		r := n.rarely()
		r.more = append([]base{b}, r.more...)
		r.more = r.more[:min(len(r.more), maxLoads-1)]
		n.rare = &r
	})
	return b.data
}

// hasAbsorbed reports whether the session in ctx has absorbed the one under the token, which it
// does not find any more.
func (t *tracker) hasAbsorbed(ctx context.Context, s *Store, token string) bool {
	return slices.ContainsFunc(t.absorbed(ctx, s),
		func(n note) bool { return n.token == token && n.state == noteLive })
}

// lastAsked returns the key of the manager that was last asked to load a session. A manager that
// loads one asks the context for it in vain just before.
func (t *tracker) lastAsked() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager
}

// committer returns the key of the manager that commits, or nil if it cannot be told.
func (t *tracker) committer(ctx context.Context) any {
	if manager, known := askerOf(ctx); known {
		return manager
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.severalManagers {
		return nil
	}
	return t.manager
}

// committed notes what became of a commit, for which c had a copy of the note. What others have
// noted meanwhile stays.
func (t *tracker) committed(c *note) {
	t.update(c.store, c.token, func(n *note) {
		n.result = c.result
		if n.state == 0 || n.state == noteLive || c.state != noteLive {
			n.state = c.state
		}
		if n.mark == c.mark {
			handed := n.handed
			n.base = c.base
			n.handed = handed // by a load since
			return
		}
		r := n.rarely()
		if i := slices.IndexFunc(r.more, func(b base) bool { return b.mark == c.mark }); i >= 0 {
			r.more = slices.Clone(r.more)
			r.more[i] = c.base
			n.rare = &r
		}
	})
}

// renews notes that the commit that creates a session's successor is to retire it.
func (t *tracker) renews(ctx context.Context, s *Store, n note) {
	by := n.users(ctx)
	t.update(s, n.token, func(n *note) {
		t.renewals++
		r := n.rarely()
		r.renewals = append(slices.Clip(r.renewals), renewal{t.renewals, by})
		n.rare = &r
	})
}

// predecessor is a session that is to be retired, and the renewals that want that.
type predecessor struct {
	note
	by []renewal
}

// predecessors returns the sessions that the one in ctx has renewed and that are to be retired, the
// last at the end.
func (t *tracker) predecessors(ctx context.Context, s *Store) (last []predecessor) {
	for _, n := range t.notes(s, func(n *note) bool { return len(n.rarely().renewals) > 0 }) {
		if by := n.renewed(ctx); len(by) > 0 {
			last = append(last, predecessor{n, by})
		}
	}
	slices.SortFunc(last, func(a, b predecessor) int {
		return cmp.Compare(a.by[len(a.by)-1].number, b.by[len(b.by)-1].number)
	})
	return last
}

// ended notes that a session has come to its end, and forgets the renewals given.
func (t *tracker) ended(s *Store, token string, state noteState, done []renewal) {
	t.update(s, token, func(n *note) {
		n.state = state
		if n.rare == nil {
			return
		}
		r := n.rarely()
		r.renewals = slices.DeleteFunc(slices.Clone(r.renewals), func(r renewal) bool {
			return slices.ContainsFunc(done, func(d renewal) bool { return d.number == r.number })
		})
		n.rare = &r
	})
}

// absorbs notes that a session was merged into that of the manager in ctx that loaded it last, and
// what it is from now on.
func (t *tracker) absorbs(ctx context.Context, s *Store, n note, state noteState) {
	taken := &absorbed{base: n.bases()[0]}
	if key := taken.manager; key != nil {
		if session := ctx.Value(key); session != nil {
			taken.by = []claim{{key, session}}
		}
	}
	t.update(s, n.token, func(n *note) {
		if t.severalManagers && !t.managersTold {
			taken.by = nil
		}
		r := n.rarely()
		n.state, r.absorbed = state, taken
		n.rare = &r
	})
}

// released notes what has become of a session that another had absorbed.
func (t *tracker) released(s *Store, token string, state noteState) {
	t.update(s, token, func(n *note) {
		r := n.rarely()
		n.state, r.absorbed = state, nil
		n.rare = &r
	})
}

// took notes what a session that has absorbed another takes up of it besides.
func (t *tracker) took(s *Store, token string, data []byte) {
	t.update(s, token, func(n *note) {
		r := n.rarely()
		if r.absorbed == nil {
			return
		}
		a := *r.absorbed
		a.taken = append(slices.Clip(a.taken), data)
		r.absorbed = &a
		n.rare = &r
	})
}

// absorbed returns the sessions that the one in ctx may have absorbed.
func (t *tracker) absorbed(ctx context.Context, s *Store) []note {
	all := t.notes(s, func(n *note) bool { return n.rare != nil && n.rare.absorbed != nil })
	return slices.DeleteFunc(all, func(n note) bool {
		by := n.rare.absorbed.by
		return len(by) > 0 && !isOneOf(ctx, by)
	})
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
