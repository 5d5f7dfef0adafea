package scskit

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/scskit/scskit/driver"
)

// SessionManager.RenewToken deletes the session and lets the next commit create it under another
// token. In between there is none: a commit that fails, or a panic, has then signed the user out,
// and whoever looks for the user's sessions does not find it. In a context with a tracker the store
// therefore only notes that the session is to be renewed. The commit that creates the new session
// retires the old one: it puts a tombstone in its place, on condition that nobody else has saved,
// renewed or destroyed it. What others saved meanwhile is merged. If another request has renewed
// it, both go on, each with its own session, as two sign-ins in two tabs do; if it was destroyed,
// the new one is removed again.

// ErrGone is returned by a commit through a key from All, and by an adapter in place of a response
// whose handler has renewed the session, if that has been destroyed meanwhile.
var ErrGone = errors.New("scskit: session is gone")

// ErrLate is returned by SessionManager.RenewToken when the response has begun: no cookie could
// tell the browser of the new token. The session goes on under the old one.
var ErrLate = errors.New("scskit: the response has begun: renew the session before the first " +
	"write or flush")

// A tombstone is the record of a session that was renewed. It is no session, and lasts as long as a
// request that began with the session may still be under way. It keeps whose the session was, so
// that DestroySessionsOf looks again for the one that it became.
const (
	tombstoneMark = "\x00scskit: renewed\x00"
	tombstoneLife = 5 * time.Minute
)

// errRenewed is a driver.ErrNotFound of a session that was renewed, and not destroyed.
var errRenewed = &renewedError{}

type renewedError struct{}

func (*renewedError) Error() string { return "the session was renewed" }

func (*renewedError) Is(target error) bool { return target == driver.ErrNotFound }

// buried returns whose session a tombstone stands for; ok is false for the data of a session.
func buried(data []byte) (user string, ok bool) {
	if len(data) < len(tombstoneMark) || data[0] != tombstoneMark[0] {
		return "", false
	}
	return strings.CutPrefix(string(data), tombstoneMark)
}

// retire puts a tombstone in the place of a session, if it is still at the version that was noted.
// It returns the tombstone's version.
func (s *Store) retire(ctx context.Context, old *note) (int64, error) {
	id, _ := s.ids.id(old.token)
	user, err := s.userOf(old.data)
	if err != nil {
		user = "" // such a session is not saved, so that there is none to look for
	}
	now := s.opts.Now()
	expiry := ceilMilli(now.Add(tombstoneLife))
	if old.expiry.Before(expiry) {
		expiry = old.expiry
	}
	op := s.begin(ctx)
	tombstone := driver.Record{
		ID: id, Data: []byte(tombstoneMark + user), User: user,
		Expiry: expiry, Created: old.created, Updated: now, Version: version(),
	}
	err = s.driver.Save(op.ctx, tombstone, driver.IfVersion(old.version))
	op.end(KindDelete, id, err)
	return tombstone.Version, err
}

// succession is what became of a session that another was to carry on.
type succession uint8

const (
	retired   succession = iota + 1
	renewed              // by another request
	destroyed            // by another request, or it has expired
)

// succeed retires a session that c carries on. Whenever others have saved it meanwhile, it calls
// take with what they stored; old holds what that is based on.
func (c *commitOp) succeed(old *note, take func(current driver.Record) error) (succession, error) {
	s := c.store
	id, _ := s.ids.id(old.token)
	for attempt := range maxAttempts {
		if err := backOff(c.ctx, attempt); err != nil {
			return 0, err
		}
		version, err := s.retire(c.ctx, old)
		if err == nil {
			return retired, nil
		}
		ctx, cancel := c.afterwards() // what failed may have been carried out all the same
		current, loadErr := s.load(ctx, id)
		cancel()
		switch {
		case errors.Is(loadErr, errRenewed) && current.Version == version:
			return retired, nil
		case errors.Is(loadErr, errRenewed):
			return renewed, nil
		case errors.Is(loadErr, driver.ErrNotFound):
			return destroyed, nil
		case !lostRace(err):
			return 0, err
		case loadErr != nil:
			return 0, loadErr
		}
		s.report(c.ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(id)})
		if err := take(current); err != nil {
			return 0, err
		}
		old.data, old.version, old.expiry = current.Data, current.Version, current.Expiry
	}
	return 0, c.gaveUp()
}

// renew creates the session that carries on the old one under a new token, and retires the old one.
// Another renewal may have done that already; then it only sees to it that the old one was not
// destroyed meanwhile, or what it became.
func (c *commitOp) renew(expiry time.Time) error {
	err := c.save(KindCreate, driver.IfAbsent(), expiry)
	if lostRace(err) { // nobody else knows the token: what is there is of an earlier try
		err = c.save(KindCreate, driver.Always(), expiry)
	}
	if err != nil {
		return c.undo(err)
	}
	s, n, old := c.store, &c.note, c.old.note
	stored := mergeResult{data: c.plain} // of the new session
	version, until := n.version, n.expiry
	outcome, err := c.succeed(&old, func(current driver.Record) error {
		next, err := c.mergeInto(current.Data, old.data, stored.data, c.overwrites...)
		if err != nil || bytes.Equal(next.data, stored.data) {
			return err
		}
		rec := c.record(next.data, next.expiry(expiry, current.Expiry))
		rec.Created = n.created
		_, err = s.save(c.ctx, KindMerge, rec, driver.IfVersion(version))
		switch {
		case errors.Is(err, driver.ErrNotFound): // with all of the user's, since nobody else knows it
			return errTargetGone
		case err != nil:
			return err
		}
		stored, version, until = next, rec.Version, rec.Expiry
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errTargetGone):
		return c.undo(err)
	case err != nil || outcome == destroyed:
		if err := c.undo(nil); err != nil {
			return err
		}
		c.retired(noteGone)
		return c.gone(noteGone)
	}
	c.noteMerge(stored.data, version, until, CommitStored)
	c.retired(noteRenewed)
	return nil
}

// retired notes what became of the old session, so that no later commit of this one carries it on.
func (c *commitOp) retired(state noteState) {
	c.tracker.ended(c.store, c.old.token, state, c.old.by)
}

// undo removes the new session, of which nobody has been told, though the time of the commit may be
// over. It returns err, or if that is nil what the removal fails with.
func (c *commitOp) undo(err error) error {
	ctx, cancel := c.afterwards()
	defer cancel()
	removal := c.store.remove(ctx, c.id)
	c.note.state = 0
	if err == nil && !errors.Is(removal, driver.ErrNotFound) {
		err = removal
	}
	return err
}

// afterwards returns a context for what must be done though the commit's has ended.
func (c *commitOp) afterwards() (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(c.ctx)
	if c.store.opts.Timeout > 0 {
		return ctx, func() {} // each operation is bounded by that
	}
	return context.WithTimeout(ctx, defaultTimeout)
}
