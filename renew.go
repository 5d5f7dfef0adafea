package scskit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scskit/scskit/driver"
)

// SessionManager.RenewToken deletes the session and lets the next commit create it under another
// token. If that commit fails, the user is signed out. Between the two, SessionsOf does not find
// the session. In a context with a tracker the store therefore only records the call. The commit
// then does the following:
//
//  1. It creates the session under the new token.
//  2. It retires the old session: it replaces the record by a tombstone, on condition that nobody
//     has changed the record meanwhile.
//  3. If another request has saved the old session, it merges the change and tries again. If
//     another request has renewed it, both new sessions stay, like two sign-ins in two tabs. If the
//     old session was destroyed, it removes the new one.

// ErrGone means that the session was destroyed meanwhile. A commit under a key from All returns it.
// An adapter returns it instead of a response whose handler has renewed the session.
var ErrGone = errors.New("scskit: session is gone")

// ErrLate is returned by SessionManager.RenewToken after the response has begun. The response can
// no longer set the new cookie, so the session keeps its token.
var ErrLate = errors.New("scskit: the response has begun: renew the session before the first " +
	"write or flush")

var errTooManyRenewals = fmt.Errorf("%w: too many requests renew one session at the same time",
	driver.ErrConflict)

// errRenewed matches every renewedError.
var errRenewed = errors.New("the session was renewed")

// renewedError means that the session was renewed, not destroyed. It matches driver.ErrNotFound.
type renewedError struct {
	tombstone
	rec driver.Record // of the tombstone, without its data; it was renewed at rec.Updated
}

func (*renewedError) Error() string { return errRenewed.Error() }

func (*renewedError) Is(target error) bool {
	return target == driver.ErrNotFound || target == errRenewed
}

// asRenewed returns the *renewedError in err, or nil. It costs nothing without an error.
func asRenewed(err error) *renewedError {
	if err == nil {
		return nil
	}
	var renewed *renewedError
	errors.As(err, &renewed)
	return renewed
}

// retirement is what happened to a session that should be retired.
type retirement uint8

const (
	retired   retirement = iota + 1
	renewed              // by another request
	destroyed            // by another request, or expired
)

// retireMerging retires a session that the committed one replaces. Whenever another request has
// saved the old session meanwhile, it calls merge with the stored record, and then tries again.
// During the call, old holds the record before that change. After a periodic renewal by another
// request it retires the successor, unless the commit is a periodic renewal itself.
func (c *commitOp) retireMerging(old *note, why replacement,
	merge func(current driver.Record) error) (retirement, error) {
	s := c.store
	id := s.idOf(old)
	for attempt := range maxAttempts {
		if err := backOff(c.ctx, attempt); err != nil {
			return 0, err
		}
		version, err := s.retire(c.ctx, old, successor{why, c.id})
		if err == nil {
			return retired, nil
		}
		ctx, cancel := c.detached() // the failed operation may have succeeded in the backend
		var gone *renewedError
		current, loadErr := s.load(ctx, id)
		cancel()
		switch {
		case errors.Is(loadErr, errRenewed) && current.Version == version:
			return retired, nil
		case errors.As(loadErr, &gone):
			if gone.closed {
				return destroyed, nil
			}
			next, periodic := gone.periodic()
			if !periodic {
				if why != byRenewal || old.periodic {
					return renewed, nil
				}
				// Both sessions stay, so the tombstone must lead to both.
				if err := s.link(c.ctx, gone, successor{why, c.id}); !lostRace(err) {
					return renewed, err
				}
				continue
			}
			old.alias = next
			if old.periodic {
				return renewed, nil
			}
			if err := c.moveLock(id, next); err != nil {
				return 0, err
			}
			id, old.version = next, 0 // the successor is the session that must end
			continue
		case errors.Is(loadErr, driver.ErrNotFound):
			return destroyed, nil
		case !lostRace(err):
			return 0, err
		case loadErr != nil && !errors.Is(loadErr, ErrCorrupt):
			return 0, loadErr
		}
		s.report(c.ctx, Event{Kind: KindConflict, Outcome: OutcomeOK, ID: s.ids.public(id)})
		if err := c.fenced(id, s.codec.same(current.Data, old.data)); err != nil {
			return 0, err
		}
		if err := merge(current); err != nil {
			return 0, err
		}
		old.data, old.version, old.expiry = current.Data, current.Version, current.Expiry
	}
	return 0, c.conflictError()
}

// renew creates the session under its new token and retires the old one. If the old one was
// destroyed meanwhile, it removes the new one.
func (c *commitOp) renew(expiry time.Time) error {
	err := c.save(KindCreate, driver.IfAbsent(), expiry)
	if lostRace(err) { // the new token is still secret: the record is from an earlier attempt
		err = c.save(KindCreate, driver.Always(), expiry)
	}
	if err != nil {
		return c.undo(err)
	}
	n, old := &c.note, c.old.note
	stored := mergeResult{data: c.plain} // the new session as it is stored
	version, until := n.version, n.expiry
	why := byRenewal
	if old.periodic {
		why = byAdapter
	}
	outcome, err := c.retireMerging(&old, why, func(current driver.Record) error {
		next, err := c.mergeInto(current.Data, old.data, stored.data, c.overwrites...)
		if err != nil || bytes.Equal(next.data, stored.data) {
			return err
		}
		until = c.mergedExpiry(&next, expiry, current.Expiry)
		stored, version, err = c.saveSuccessor(stored, next, version, until)
		return err
	})
	switch {
	case err != nil && !errors.Is(err, errTargetGone):
		return c.undo(err)
	case err != nil || outcome == destroyed:
		if err := c.undo(nil); err != nil {
			return err
		}
		c.noteRetired(noteGone)
		return c.gone(noteGone)
	case outcome == renewed && old.periodic:
		return c.join(&old, expiry)
	}
	c.noteMerge(stored.data, version, until, CommitStored)
	c.noteRetired(noteRenewed)
	return nil
}

// join ends a periodic renewal that another request has made first. The changes of this request go
// to that session, and the response sends no cookie, since the other one does.
func (c *commitOp) join(old *note, expiry time.Time) error {
	if err := c.undo(nil); err != nil {
		return err
	}
	c.noteRetired(noteRenewed)
	if old.alias == "" { // the other one was a sign-in, say
		return c.gone(noteRenewed)
	}
	c.id, c.note.alias, c.note.state, c.note.base = old.alias, old.alias, noteLive, c.old.base
	return c.merge(expiry, true)
}

// noteRetired records what happened to the old session, so that no later commit retires it again.
func (c *commitOp) noteRetired(state noteState) {
	c.tracker.ended(c.store, c.old.token, state, c.old.renewals)
}

// undo removes the new session, whose token was not sent yet, even if the commit's context has
// ended. It returns err, or the error of the removal if err is nil.
func (c *commitOp) undo(err error) error {
	ctx, cancel := c.detached()
	defer cancel()
	removal := c.store.remove(ctx, c.id, driver.Always())
	c.note.state = 0
	if err == nil && !errors.Is(removal, driver.ErrNotFound) {
		err = removal
	}
	return err
}

// detached returns a context for cleanup after the commit's context has ended.
func (c *commitOp) detached() (context.Context, context.CancelFunc) {
	ctx := context.WithoutCancel(c.ctx)
	if c.store.opts.Timeout > 0 {
		return ctx, func() {} // Options.Timeout bounds each operation
	}
	return context.WithTimeout(ctx, defaultTimeout)
}
