package scskit

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/caller"
	"github.com/scskit/scskit/internal/codec"
	"github.com/scskit/scskit/internal/tracking"
)

// Update changes the session in ctx without losing a change that another request makes at the same
// time, also to the same key. It is for values that depend on the stored ones, such as counters and
// carts:
//
//	err := scskit.Update(ctx, sessions, func(ctx context.Context) error {
//		sessions.Put(ctx, "hits", sessions.GetInt(ctx, "hits")+1)
//		return nil
//	})
//
// It calls fn with a context in which the manager has the session as it is stored now, and stores
// the result at once. If others have saved the session meanwhile, it calls fn again with what they
// have stored, at most 256 times, and then fails with driver.ErrConflict. So fn must have no
// effects other than on the session of its own context. It may read and change values and the
// deadline. Destroy, RenewToken, MergeSession, Commit and Update fail in it. An Update with the
// outer context also fails, after a second. Goroutines of one request may call Update in parallel.
//
// If fn returns an error or panics, its changes are dropped, and Update returns the error or
// panics. If the session was destroyed or renewed by others, the error matches ErrGone.
//
// What the request has changed before is stored first, even if fn fails then. Afterwards the
// session in ctx has what is stored. With a function that does nothing, Update shows the request
// what others have stored. A commit at the end of the request does not store the result again, and
// does not undo what others change after Update. Update also works after the response has begun: it
// stores the result, since the cookie does not change, but the cookie keeps its expiry.
//
// Nobody else has a session that is new, or whose token was renewed in this request, or that
// travels in a cookie. Update then changes only the session in ctx, and the commit stores it. What
// others have stored under the token from before a renewal is merged by the commit; see
// Options.Merge.
//
// In a context without a tracker, fn does not see what ctx has changed but not committed, and a
// later commit of ctx overwrites everything, as in scs's own stores.
//
// After a lost reply of the backend, fn may be applied to what this call has itself stored, if
// another request has changed the session in between. A counter then counts twice.
//
// The manager's store must be, embed or wrap a *Store. Calls for one session in one process take
// turns.
func Update(ctx context.Context, sm *scs.SessionManager, fn func(ctx context.Context) error) error {
	if err := runUpdate(ctx, sm, fn); err != nil {
		return failed("update", err)
	}
	return nil
}

func runUpdate(ctx context.Context, sm *scs.SessionManager, fn func(context.Context) error) error {
	if fn == nil {
		return errors.New("the function is nil: pass one")
	}
	s, err := storeOf(sm)
	if err != nil {
		return err
	}
	if u := updateFrom(ctx); u != nil {
		return u.refuse()
	}
	u := &update{store: s, sm: sm, fn: fn, tracker: trackerFrom(ctx)}
	u.key = caller.FirstKey(func(ctx context.Context) { _, _ = sm.Load(ctx, "") })
	end, err := u.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return u.run(ctx)
}

// begin waits for other calls with the same loaded session, such as those of goroutines of one
// request. A call in fn of another call would wait forever, so it fails.
func (u *update) begin(ctx context.Context) (end func(), err error) {
	turns, turn := u.store.mergeLocks, fmt.Sprintf("update in %p", ctx.Value(u.key))
	waiting, cancel := context.WithTimeout(ctx, maxTurnWait)
	defer cancel()
	if turns.lock(waiting, turn) == nil {
		return func() { turns.unlock(turn) }, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("another Update of the same session in this request has run for %v: a "+
		"function given to Update must not call Update, and must be fast", maxTurnWait)
}

func (u *update) run(ctx context.Context) error {
	s := u.store
	u.token = u.sm.Token(ctx)
	var ok bool
	u.id, ok = s.ids.id(u.token)
	if !ok || s.carrier != nil {
		return u.direct(ctx)
	}
	if u.tracker == nil {
		return u.stored(ctx)
	}
	n := u.tracker.get(s, u.token)
	switch {
	case n.state == 0 && len(u.tracker.predecessors(ctx, s)) > 0:
		return u.direct(ctx)
	case n.state == 0: // never stored, or loaded without this tracker
		_, err := s.load(ctx, u.id)
		if errors.Is(err, driver.ErrNotFound) {
			return u.direct(ctx)
		}
		return u.stored(ctx)
	case n.state != noteLive:
		return ErrGone
	}
	u.id = s.idOf(&n)
	if err := u.commitFirst(ctx, n); err != nil {
		return err
	}
	return u.stored(ctx)
}

// update is one call of Update.
type update struct {
	store   *Store
	sm      *scs.SessionManager
	key     any // the manager's context key
	fn      func(context.Context) error
	tracker *tracker // nil if there is none
	token   string
	id      string
	refused atomic.Bool // fn has called a method that it must not call
}

// call calls fn with a session that has the data, and returns the data of the changed session.
func (u *update) call(ctx context.Context, data []byte) ([]byte, error) {
	sm := *u.sm
	sm.Store = oneSession{data: data}
	token := u.token
	if token == "" {
		token = "new" // Load does not look for an empty one
	}
	loaded, err := sm.Load(context.Background(), token)
	if err != nil {
		return nil, err
	}
	inner := &updateContext{Context: ctx, u: u, session: loaded.Value(u.key)}
	err = u.fn(inner)
	if u.refused.Load() {
		return nil, errInUpdate
	}
	if err != nil {
		return nil, err
	}
	return u.encode(inner)
}

// encode returns the data of the manager's session in ctx.
func (u *update) encode(ctx context.Context) ([]byte, error) {
	values := make(map[string]any)
	for _, key := range u.sm.Keys(ctx) {
		values[key] = u.sm.Get(ctx, key)
	}
	return u.store.codec.Encode(u.sm.Deadline(ctx), values)
}

// direct changes a session that nobody else has.
func (u *update) direct(ctx context.Context) error {
	before, err := u.encode(ctx)
	if err != nil {
		return err
	}
	after, err := u.call(ctx, before)
	if err != nil {
		return err
	}
	return u.show(ctx, before, after)
}

// commitFirst stores what the request has changed.
func (u *update) commitFirst(ctx context.Context, n note) error {
	s := u.store
	data, err := u.encode(ctx)
	if err != nil {
		return err
	}
	c := commitOp{store: s, ctx: ctx, id: u.id, data: data, note: n}
	if err := c.chooseBase(&c.note); err != nil {
		return err
	}
	if s.codec.same(c.note.data, data) && len(u.tracker.sources(ctx, s)) == 0 &&
		len(u.tracker.overwritten()) == 0 {
		return nil
	}
	if _, _, err := u.sm.Commit(ctx); err != nil {
		return err
	}
	if last, ok := LastCommit(ctx, u.token); ok && last.State == CommitGone {
		return ErrGone
	}
	return nil
}

// stored changes the stored session until no other request interferes.
func (u *update) stored(ctx context.Context) error {
	s := u.store
	endTurn, err := s.mergeLocks.turn(ctx, "update "+u.id, maxTurnWait)
	if err != nil {
		return err
	}
	defer endTurn()
	var saved driver.Record // the last record that this call tried to save
	var before []byte       // the data that it was made from
	for attempt := range maxAttempts {
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
		rec, err := s.load(ctx, u.id)
		switch {
		case asRenewed(err) != nil:
			if !u.follow(asRenewed(err)) {
				return ErrGone
			}
			continue
		case errors.Is(err, driver.ErrNotFound):
			return ErrGone
		case err != nil:
			return err
		case rec.Version == saved.Version: // the reply to the save was lost
			return u.adopt(ctx, before, saved, true)
		}
		if err := s.readable(rec); err != nil {
			return err
		}
		data, err := u.call(ctx, rec.Data)
		if err != nil {
			return err
		}
		if s.codec.same(data, rec.Data) {
			return u.adopt(ctx, rec.Data, rec, false)
		}
		before, saved = rec.Data, rec
		if err := u.change(&saved, data); err != nil {
			s.reportFailedSave(ctx, u.id, err)
			return err
		}
		if _, err = s.save(ctx, KindSave, &saved, driver.IfVersion(rec.Version)); err == nil {
			return u.adopt(ctx, before, saved, true)
		}
		if !lostRace(err) {
			return err
		}
		s.report(ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(u.id)})
	}
	return (&commitOp{store: s, ctx: ctx, id: u.id}).conflictError()
}

// follow goes on with the successor of the session, if nobody has signed in.
func (u *update) follow(renewed *renewedError) bool {
	next, ok := renewed.periodic()
	if !ok {
		return false
	}
	u.id = next
	if t := u.tracker; t != nil && t.get(u.store, u.token).state != 0 {
		t.update(u.store, u.token, func(n *note) { n.alias = next })
	}
	return true
}

// change puts new data into a stored record, and sets its expiry as a commit does.
func (u *update) change(rec *driver.Record, data []byte) error {
	s := u.store
	if len(data) > s.maxSize {
		return s.tooLarge(data)
	}
	deadline, ok := s.codec.deadline(data)
	was, wasOK := s.codec.deadline(rec.Data)
	now := s.opts.Now()
	if !ok || !deadline.After(now) {
		return errors.New("the deadline of the session has passed: set a later one, or destroy the " +
			"session")
	}
	expiry := deadline
	if idle := now.Add(u.sm.IdleTimeout); u.sm.IdleTimeout > 0 && idle.Before(expiry) {
		expiry = idle
	}
	m := mergeResult{deadline: deadline, ours: !wasOK || !was.Equal(deadline)}
	l := s.codec.span(data)
	if expiry = s.withSlack(l, l.expiry(now, expiry)); l.idle == 0 {
		expiry = m.expiry(expiry, rec.Expiry)
	}
	rec.Expiry = expiry
	rec.Data, rec.Updated, rec.Seen, rec.Version, rec.Rewrite = data, now, now, version(), false
	return nil
}

// adopt makes the record that is stored now the state of the request: of its session, and of the
// base of its next commit. before is the record's data before fn has changed it.
func (u *update) adopt(ctx context.Context, before []byte, rec driver.Record, changed bool) error {
	s := u.store
	if u.tracker == nil {
		return u.show(ctx, before, rec.Data)
	}
	c := commitOp{store: s, ctx: ctx, id: u.id, note: u.tracker.get(s, u.token)}
	n := &c.note
	if n.state != noteLive {
		return u.show(ctx, before, rec.Data)
	}
	var err error
	if c.data, err = u.encode(ctx); err != nil {
		return err
	}
	if err := c.chooseBase(n); err != nil {
		return err
	}
	was, data := n.data, rec.Data
	if n.hasOffset {
		data, n.hasOffset = s.withOffset(data, n.offset)
	}
	if err := u.show(ctx, was, data); err != nil {
		return err
	}
	n.data, n.expiry, n.created, n.version = data, rec.Expiry, rec.Created, rec.Version
	n.user, _ = s.userOf(rec.Data)
	n.rewrite = rec.Rewrite
	if changed && !n.settled {
		n.result = CommitResult{State: CommitStored, Expiry: rec.Expiry}
	}
	u.tracker.committed(n)
	return nil
}

// show applies the changes from one state to another to the session in ctx. A value that the
// request has changed itself meanwhile stays.
func (u *update) show(ctx context.Context, from, to []byte) error {
	oldDeadline, old, err := u.store.codec.Decode(from)
	if err != nil {
		return err
	}
	deadline, values, err := u.store.codec.Decode(to)
	if err != nil {
		return err
	}
	set := func() {
		for key, value := range values {
			was, had := old[key]
			if had && codec.Equal(was, value) || !u.unchanged(ctx, key, was, had) {
				continue
			}
			u.sm.Put(ctx, key, value)
		}
		for key, was := range old {
			if _, ok := values[key]; !ok && u.unchanged(ctx, key, was, true) {
				u.sm.Remove(ctx, key)
			}
		}
		if !deadline.Equal(oldDeadline) && u.sm.Deadline(ctx).Equal(oldDeadline) {
			u.sm.SetDeadline(ctx, deadline)
		}
	}
	if r, ok := ctx.Value(tracking.RefresherKey{}).(tracking.Refresher); ok {
		r.Refresh(u.key, set)
		return nil
	}
	set()
	return nil
}

func (u *update) unchanged(ctx context.Context, key string, was any, had bool) bool {
	return u.sm.Exists(ctx, key) == had && (!had || codec.Equal(u.sm.Get(ctx, key), was))
}
