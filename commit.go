package scskit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// maxAttempts bounds how often one commit is merged and tried again. Whenever an attempt
// fails another one has succeeded, so that this many writers of one session can
// meet before one of them gives up.
const maxAttempts = 256

// CommitCtx implements scs.CtxStore. In a context with a tracker it saves
// only what changed, merges with what other requests have saved meanwhile, and stores
// nothing for a session that is gone: see WithTracker and LastCommit. Without one it
// overwrites. A commit whose expiry has passed leaves no record.
func (s *Store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	id, ok := s.ids.id(token)
	if !ok {
		return fmt.Errorf("scskit: commit: token is empty or longer than %d bytes", s.ids.max)
	}
	if len(data) > s.maxSize {
		err := fmt.Errorf("scskit: commit: %w", s.tooLarge(data))
		s.refused(ctx, id, err)
		return err
	}
	c := commitOp{store: s, ctx: ctx, id: id, data: data, plain: data, expiry: expiry}
	var err error
	t := trackerFrom(ctx)
	if t != nil {
		c.tracker, c.note, c.overwrites = t, t.get(s, token), t.overwritten()
	}
	listed, isKey := listing{}, false
	if c.note.state == 0 { // a key that All returned outside this tracker is nothing new
		listed, isKey = s.ids.listed(token)
	}
	switch {
	case isKey:
		err = c.listed(listed)
	case t == nil:
		if err = c.untracked(driver.Always()); err == nil && byStockMiddleware() {
			s.tellUntracked(ctx, id)
		}
	default:
		if err = c.tracked(); err == nil {
			t.committed(&c.note)
		}
	}
	if err != nil {
		return s.failure("commit", token, err)
	}
	return nil
}

// commitOp is one call of CommitCtx.
type commitOp struct {
	store   *Store
	ctx     context.Context
	tracker *tracker // nil without one
	id      string
	data    []byte
	plain   []byte // what is to be stored: data without a mark; see base
	expiry  time.Time
	note    note        // of a tracked commit; updated to its outcome
	old     predecessor // what it carries on under a new token; its state is 0 if there is none
	others  []note      // what it has absorbed
	sent    int64       // the version of the last save that was tried

	overwrites []string // see Overwrite
}

// untracked does what scs asks of any store.
func (c *commitOp) untracked(cond driver.Condition) error {
	if c.expired() {
		return c.removeExpired(c.id)
	}
	if c.store.carrier != nil {
		return errors.New("the session travels in the cookie, so that it can be saved only where an " +
			"adapter writes one")
	}
	rec := c.record(c.data, c.expiry)
	c.sent = rec.Version
	_, err := c.store.save(c.ctx, KindSave, rec, cond)
	return err
}

// listed commits under a key from All, without a tracker. The session must not come back if it was
// destroyed meanwhile, and what others have saved since it was listed must not be lost.
func (c *commitOp) listed(l listing) error {
	err := c.untracked(driver.IfVersion(l.version))
	if !lostRace(err) {
		return err
	}
	stored, err := c.store.load(c.ctx, c.id)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return ErrGone
	case err != nil:
		return err
	// the backend's client lost the answer, tried again, and met its own save
	case stored.Version == c.sent:
		return nil
	case sumOf(c.data) == l.sum: // it was to be saved as it was listed, and others have saved it since
		return nil
	}
	return fmt.Errorf("%w: it was saved after it was listed; list sessions in a context from "+
		"scskit.WithTracker, which merges", driver.ErrConflict)
}

// tracked stores what this request changed and nothing else.
func (c *commitOp) tracked() error {
	s, n := c.store, &c.note
	base := n
	if n.state == 0 {
		n.manager = c.tracker.committer(c.ctx)
		if last := c.tracker.predecessors(c.ctx, s); len(last) > 0 {
			c.old = last[len(last)-1]
		}
		base = &c.old.note
	}
	if err := c.rebase(base); err != nil {
		return err
	}
	before, isNew := base.data, n.state == 0
	c.others = c.absorbing(before)
	var err error
	if len(c.others) > 0 {
		if c.data, err = c.leaveStrays(c.data); err != nil {
			return err
		}
	}
	c.unmark()
	switch {
	case n.state != 0 && n.state != noteLive:
		return c.gone(n.state)
	case c.old.state != 0 && c.old.state != noteLive && c.old.state != noteRenewed:
		c.retired(c.old.state)
		return c.gone(noteGone)
	case c.expired():
		if err := c.removeExpired(c.id); err != nil {
			return err
		}
		if c.old.state != 0 {
			id, _ := s.ids.id(c.old.token)
			if err := c.removeExpired(id); err != nil {
				return err
			}
			c.retired(noteDeleted)
		}
		return c.gone(noteGone)
	}
	expiry := s.withSlack(c.plain, c.expiry)
	switch {
	case c.old.state != 0:
		err = c.renew(expiry)
	case isNew:
		err = c.write(KindCreate, driver.IfAbsent(), expiry)
	case n.version == 0 || len(c.others)+len(c.overwrites) > 0 ||
		!s.codec.same(n.data, c.data):
		err = c.write(KindSave, driver.IfVersion(n.version), expiry)
	default:
		err = c.unchanged(expiry)
	}
	if err != nil || n.state != noteLive || len(c.others) == 0 {
		return err
	}
	created := isNew && !n.created.IsZero()
	err = c.absorb()
	switch {
	case err != nil && c.old.state != 0:
		return nil // the old one is retired: what goes on in the new one must not fail any more
	case err != nil && created:
		return c.undo(err)
	case err != nil:
		c.tracker.committed(n) // it is stored all the same
	}
	return err
}

// unchanged stores a session that the request has left as it was, if that is needed at all. If it
// fails the session goes on as it is: the request has changed nothing that could be lost.
func (c *commitOp) unchanged(expiry time.Time) error {
	n := &c.note
	var err error
	switch lastsTooLong := n.expiry.After(expiry.Add(expiry.Sub(c.expiry))); {
	case !n.rewrite && !n.expiry.Before(c.expiry) && !lastsTooLong:
		n.keep(n.expiry)
		return nil
	case n.rewrite || c.store.carrier != nil:
		err = c.write(KindSave, driver.IfVersion(n.version), expiry)
	default:
		err = c.touch(expiry)
	}
	if err != nil && n.expiry.After(c.store.opts.Now()) {
		n.keep(n.expiry) // the Observer has been told
		return nil
	}
	return err
}

// touch moves the expiry of a session that did not change. If it was saved
// meanwhile, the new record is merged with no changes of ours: only its expiry
// is still to be seen to.
func (c *commitOp) touch(expiry time.Time) error {
	n := &c.note
	err := c.store.touch(c.ctx, c.id, n.version, expiry)
	if lostRace(err) {
		return c.merge(expiry, true)
	}
	if err != nil {
		return err
	}
	n.expiry = expiry
	n.result = CommitResult{State: CommitStored, Expiry: expiry}
	return nil
}

func (c *commitOp) write(kind Kind, cond driver.Condition, expiry time.Time) error {
	if v, ok := cond.Match(); ok && v == 0 {
		return c.merge(expiry, false) // this request has merged before: what is stored is not its base
	}
	err := c.save(kind, cond, expiry)
	if lostRace(err) {
		return c.merge(expiry, true)
	}
	return err
}

// save stores the session as it is, and notes that.
func (c *commitOp) save(kind Kind, cond driver.Condition, expiry time.Time) error {
	n := &c.note
	rec := c.record(c.plain, expiry)
	if !n.created.IsZero() {
		rec.Created = n.created // what the driver keeps in any case, but some at a cost
	}
	c.sent = rec.Version
	value, err := c.store.save(c.ctx, kind, rec, cond)
	if err != nil {
		return err
	}
	n.data, n.expiry, n.created, n.version, n.rewrite, n.state = c.data, expiry, rec.Created,
		rec.Version, false, noteLive
	n.result = CommitResult{State: CommitStored, Expiry: expiry, Value: value}
	return nil
}

// merge brings what this request changed into what others have stored meanwhile,
// until nobody else was faster. raced says whether somebody was already.
func (c *commitOp) merge(expiry time.Time, raced bool) error {
	s, n := c.store, &c.note
	if err := s.turns.take(c.ctx, c.id); err != nil {
		return err
	}
	defer s.turns.give(c.id)
	for attempt := range maxAttempts {
		if err := backOff(c.ctx, attempt); err != nil {
			return err
		}
		current, err := s.load(c.ctx, c.id)
		switch {
		case errors.Is(err, errRenewed):
			return c.gone(noteRenewed)
		case errors.Is(err, driver.ErrNotFound):
			return c.gone(noteGone)
		case err != nil:
			return err
		}
		if current.Version == c.sent {
			// Nobody else was faster: the backend's client lost the reply, tried again, and met its
			// own save.
			c.noteMerge(current.Data, current.Version, current.Expiry, CommitStored)
			return nil
		}
		if raced {
			s.report(c.ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(c.id)})
		}
		merged, err := c.mergeInto(current.Data, n.data, c.data, c.overwrites...)
		if err != nil {
			return err
		}
		until := merged.expiry(expiry, current.Expiry)
		if s.codec.same(merged.data, current.Data) {
			if !current.Expiry.Before(until) {
				state := CommitKept
				if n.state == 0 {
					// an earlier try to create it failed only for us: the cookie is yet to be sent
					state = CommitStored
				}
				c.noteMerge(merged.data, current.Version, current.Expiry, state)
				return nil
			}
			err = s.touch(c.ctx, c.id, current.Version, until)
			if err == nil {
				c.noteMerge(merged.data, current.Version, until, CommitStored)
				return nil
			}
		} else {
			rec := c.record(merged.data, until)
			rec.Created = current.Created
			c.sent = rec.Version
			_, err = s.save(c.ctx, KindMerge, rec, driver.IfVersion(current.Version))
			if err == nil {
				c.noteMerge(merged.data, rec.Version, until, CommitStored)
				return nil
			}
		}
		if !lostRace(err) {
			return err
		}
		raced = true
	}
	return c.gaveUp()
}

// mergeInto applies what changed from base to ours to what others have stored.
func (c *commitOp) mergeInto(theirs, base, ours []byte, overwrites ...string) (mergeResult, error) {
	m, err := c.store.merge3(base, ours, theirs, overwrites...)
	if err == nil && len(m.data) > c.store.maxSize {
		err = c.store.tooLarge(m.data)
	}
	if err != nil {
		c.store.refused(c.ctx, c.id, err)
	}
	return m, err
}

// gaveUp is what a commit fails with that has always lost the race.
func (c *commitOp) gaveUp() error {
	err := fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict, maxAttempts)
	c.store.refused(c.ctx, c.id, err)
	return err
}

// refused reports a save that failed before it came to the backend.
func (s *Store) refused(ctx context.Context, id string, err error) {
	s.report(ctx, Event{Kind: KindSave, Outcome: OutcomeFailed, ID: s.ids.public(id), Err: err})
}

// noteMerge notes the outcome of a merge. The request goes on with its own values, so
// the base of a later merge is what it has just committed; and unless that
// is also what is stored, a later commit must merge, which version 0 says.
func (c *commitOp) noteMerge(stored []byte, version int64, expiry time.Time, state CommitState) {
	n := &c.note
	if !bytes.Equal(stored, c.plain) {
		version = 0
	}
	n.data, n.expiry, n.version, n.state = c.data, expiry, version, noteLive
	if state == CommitKept {
		n.keep(expiry)
		return
	}
	n.result = CommitResult{State: state, Expiry: expiry}
	if version == 0 {
		n.result.Merged = stored
	}
}

// keep notes that nothing had to be written. What an earlier commit of the same request has
// written, the cookie does not say yet.
func (n *note) keep(expiry time.Time) {
	if n.result.State != CommitStored {
		n.result.State = CommitKept
	}
	n.result.Expiry = expiry
}

// gone notes that there is no session to commit to, and what became of it.
func (c *commitOp) gone(state noteState) error {
	c.note.state = state
	c.note.result = CommitResult{State: CommitGone}
	c.store.report(c.ctx, Event{Kind: KindGone, Outcome: OutcomeOK, ID: c.store.ids.public(c.id)})
	return nil
}

func (c *commitOp) expired() bool { return !c.expiry.After(c.store.opts.Now()) }

func (c *commitOp) removeExpired(id string) error {
	err := c.store.remove(c.ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	return err
}

func (c *commitOp) record(data []byte, expiry time.Time) driver.Record {
	now := c.store.opts.Now()
	return driver.Record{
		ID: c.id, Data: data, Expiry: ceilMilli(expiry), Created: now, Updated: now, Version: version(),
	}
}

// lostRace reports whether a conditional write failed because another was faster.
func lostRace(err error) bool {
	return errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrNotFound)
}
