package scskit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// A commit in a context with a tracker proceeds as follows (commitOp.tracked):
//
//  1. It finds the base: the record that the handler loaded. The tracker's note for the token has
//     it.
//  2. If the data equals the base, it writes nothing, or moves the expiry, or saves the record
//     again if the driver asks for that (unchanged).
//  3. Otherwise it saves the record, on condition that the stored version is still that of the base
//     (write). A new session is saved on condition that none is stored.
//  4. If the condition fails, another request has saved the session. The commit loads the record,
//     applies the changes from the base to the data, and saves the result, until no other request
//     interferes (merge). If the record is gone, it stores nothing.
//  5. After RenewToken it creates the session under the new token and retires the old one
//     (renew.go). After MergeSession it also retires the merged session (mergesession.go).
//  6. It records the result in the note, for LastCommit and for the next commit.

// maxAttempts limits how often a commit is merged and tried again. Whenever an attempt fails,
// another commit has succeeded, so at least this many writers of one session can meet before one
// gives up.
const maxAttempts = 256

// CommitCtx implements scs.CtxStore. In a context with a tracker it saves only what the request
// changed, merges it with what other requests have saved meanwhile, and does not store a session
// that is gone; see WithTracker and LastCommit. In any other context it overwrites the stored
// session. If expiry has passed, the record is deleted.
func (s *Store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if u := updateFrom(ctx); u != nil {
		return u.refuse()
	}
	id, ok := s.ids.id(token)
	if !ok {
		return fmt.Errorf("scskit: commit: token is empty or longer than %d bytes", s.ids.max)
	}
	if len(data) > s.maxSize {
		err := failed("commit", s.tooLarge(data))
		s.reportFailedSave(ctx, id, err)
		return err
	}
	c := commitOp{store: s, ctx: ctx, id: id, data: data, plain: data, expiry: expiry}
	var err error
	t := trackerFrom(ctx)
	if t != nil {
		c.tracker, c.note, c.overwrites = t, t.get(s, token), t.overwritten()
		if c.note.alias != "" {
			c.id = c.note.alias
		}
	}
	listed, isKey := listing{}, false
	if c.note.state == 0 { // otherwise the key was listed and loaded in this tracker
		listed, isKey = s.ids.listed(token)
	}
	switch {
	case isKey:
		err = c.listed(listed)
	case t == nil:
		if err = c.untracked(driver.Always()); err == nil && calledByStockMiddleware() {
			s.reportUntracked(ctx, id)
		}
	default:
		if err = c.tracked(); err == nil {
			if c.note.alias != "" && c.note.result.State == CommitStored {
				c.note.result.State = CommitKept // the response of the renewal sends the cookie
			}
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
	store       *Store
	ctx         context.Context
	tracker     *tracker // nil if there is none
	id          string
	data        []byte
	plain       []byte      // data without its offset, which is what is stored; see base
	expiry      time.Time   // that scs has asked for
	until       time.Time   // the session's own, without slack; see expires
	note        note        // a copy; the commit updates it
	old         predecessor // the session that RenewToken replaces; its state is 0 if there is none
	sources     []note      // the sessions that MergeSession has merged into this one
	lastVersion int64       // version of the last attempted save

	overwrites []string // see Overwrite
}

// untracked saves the session without comparing it to anything.
func (c *commitOp) untracked(cond driver.Condition) error {
	c.expires()
	if c.expired() {
		_, err := c.store.endAny(c.ctx, c.id, 0)
		return err
	}
	if c.store.carrier != nil {
		return errNeedsAdapter
	}
	rec := c.record(c.data, c.until)
	c.lastVersion = rec.Version
	_, err := c.store.save(c.ctx, KindSave, &rec, cond)
	return err
}

// listed commits under a key from All, without a tracker. It does not bring back a session that was
// destroyed since it was listed, and does not overwrite what others have saved since.
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
	// The backend's client lost the reply, retried, and conflicted with its own save.
	case stored.Version == c.lastVersion:
		return nil
	case sumOf(c.data) == l.sum: // the caller changed nothing, so the newer record stands
		return nil
	}
	return fmt.Errorf("%w: it was saved after it was listed; list sessions in a context from "+
		"scskit.WithTracker, which merges", driver.ErrConflict)
}

// tracked stores what this request changed; see above.
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
	if err := c.chooseBase(base); err != nil {
		return err
	}
	before, isNew := base.data, n.state == 0
	c.sources = c.mergeSources(before)
	var err error
	if len(c.sources) > 0 {
		if c.data, err = c.dropLost(c.data); err != nil {
			return err
		}
	}
	c.removeOffset()
	expiry := c.expires()
	switch {
	case n.state != 0 && n.state != noteLive:
		return c.gone(n.state)
	case c.old.state != 0 && c.old.state != noteLive && c.old.state != noteRenewed:
		c.noteRetired(c.old.state)
		return c.gone(noteGone)
	case c.expired():
		if _, err := s.endAny(c.ctx, c.id, n.version); err != nil {
			return err
		}
		if c.old.state != 0 {
			if _, err := s.endAny(c.ctx, s.idOf(&c.old.note), c.old.version); err != nil {
				return err
			}
			c.noteRetired(noteDeleted)
		}
		return c.gone(noteGone)
	}
	changed := c.old.state != 0 || isNew || n.version == 0 || len(c.sources)+len(c.overwrites) > 0 ||
		!s.codec.same(n.data, c.data)
	if changed && !isNew {
		if err := c.locked(c.id); err != nil {
			return err
		}
	}
	switch {
	case c.old.state != 0:
		if err = c.locked(s.idOf(&c.old.note)); err == nil {
			err = c.renew(expiry)
		}
	case isNew:
		err = c.write(KindCreate, driver.IfAbsent(), expiry)
	case changed:
		err = c.write(KindSave, driver.IfVersion(n.version), expiry)
	default:
		err = c.unchanged(expiry)
	}
	if err != nil || n.state != noteLive || len(c.sources) == 0 {
		return err
	}
	created := isNew && !n.created.IsZero()
	err = c.retireSources()
	switch {
	case err != nil && c.old.state != 0:
		return nil // the old session is retired, so the new one must not fail
	case err != nil && created:
		return c.undo(err)
	case err != nil:
		c.tracker.committed(n) // the session itself is stored
	}
	return err
}

// unchanged handles a session that the request has not changed. It writes if the expiry must move
// or the driver wants the record rewritten. If that fails and the session has not expired, the
// commit succeeds, since no change is lost.
func (c *commitOp) unchanged(expiry time.Time) error {
	n := &c.note
	var err error
	switch lastsTooLong := n.expiry.After(expiry.Add(expiry.Sub(c.until))); {
	case !n.rewrite && !n.expiry.Before(c.until) && !lastsTooLong:
		n.keep(n.expiry)
		return nil
	case n.rewrite || c.store.carrier != nil:
		err = c.write(KindSave, driver.IfVersion(n.version), expiry)
	default:
		err = c.touch(expiry)
	}
	if err != nil && n.expiry.After(c.store.opts.Now()) {
		n.keep(n.expiry) // the Observer has got the error
		return nil
	}
	return err
}

// touch moves the expiry of an unchanged session. If another request has saved the session
// meanwhile, touch moves the expiry of that record.
func (c *commitOp) touch(expiry time.Time) error {
	n := &c.note
	user, err := c.store.userOf(c.plain)
	if err != nil || c.store.indexed && user != n.user {
		// The record was saved under another Options.UserKey: save it for the index of users.
		return c.write(KindSave, driver.IfVersion(n.version), expiry)
	}
	err = c.store.touch(c.ctx, driver.Record{
		ID: c.id, Version: n.version, User: user, Expiry: expiry,
	})
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

// write saves the session if cond holds, and otherwise merges it.
func (c *commitOp) write(kind Kind, cond driver.Condition, expiry time.Time) error {
	if v, ok := cond.Match(); ok && v == 0 {
		return c.merge(expiry, false) // the last commit merged, so the stored record is not the base
	}
	err := c.save(kind, cond, expiry)
	if lostRace(err) {
		return c.merge(expiry, true)
	}
	return err
}

// save stores the session, and records it in the note.
func (c *commitOp) save(kind Kind, cond driver.Condition, expiry time.Time) error {
	n := &c.note
	rec := c.record(c.plain, expiry)
	if !n.created.IsZero() {
		rec.Created = n.created // drivers keep it in any case, but for some that costs more
	}
	if c.old.state != 0 {
		rec.Replaces = c.store.idOf(&c.old.note)
	}
	c.lastVersion = rec.Version
	value, err := c.store.save(c.ctx, kind, &rec, cond)
	if err != nil {
		return err
	}
	n.state, n.data, n.expiry = noteLive, c.data, expiry
	n.created, n.version, n.rewrite, n.user = rec.Created, rec.Version, false, rec.User
	n.result = CommitResult{State: CommitStored, Expiry: expiry, Value: value}
	return nil
}

// conflictError is the error of a commit that has lost the race maxAttempts times.
func (c *commitOp) conflictError() error {
	err := fmt.Errorf("%w: gave up after %d attempts", driver.ErrConflict, maxAttempts)
	c.store.reportFailedSave(c.ctx, c.id, err)
	return err
}

// reportFailedSave reports a save that failed before it reached the backend.
func (s *Store) reportFailedSave(ctx context.Context, id string, err error) {
	s.report(ctx, Event{Kind: KindSave, Outcome: OutcomeFailed, ID: s.ids.public(id), Err: err})
}

// keep records that nothing was written. If an earlier commit of this request wrote the session,
// the state stays CommitStored, since the cookie is not sent yet.
func (n *note) keep(expiry time.Time) {
	if n.result.State != CommitStored {
		n.result.State = CommitKept
	}
	n.result.Expiry = expiry
}

// gone records that the session has ended, and how.
func (c *commitOp) gone(state noteState) error {
	c.note.state = state
	c.note.result = CommitResult{State: CommitGone}
	c.store.report(c.ctx, Event{Kind: KindGone, Outcome: OutcomeOK, ID: c.store.ids.public(c.id)})
	return nil
}

func (c *commitOp) expired() bool { return !c.until.After(c.store.opts.Now()) }

func (c *commitOp) record(data []byte, expiry time.Time) driver.Record {
	now := c.store.opts.Now()
	return driver.Record{
		ID:      c.id,
		Data:    data,
		Expiry:  ceilMilli(expiry),
		Created: now,
		Updated: now,
		Seen:    now,
		Version: version(),
	}
}

// lostRace reports whether a conditional write failed because another request was faster.
func lostRace(err error) bool {
	return errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrNotFound)
}
