package scskit

import (
	"context"
	"errors"

	"github.com/scskit/scskit/driver"
)

// DeleteCtx implements scs.CtxStore. Deleting what is not there is no error. In a context with a
// tracker it is carried out, within Options.Timeout, though ctx has ended; and it tells apart what
// the manager deletes for: see ErrLate.
func (s *Store) DeleteCtx(ctx context.Context, token string) error {
	id, ok := s.ids.id(token)
	if !ok {
		return nil
	}
	t := trackerFrom(ctx)
	if t == nil {
		if err := s.remove(ctx, id); err != nil && !errors.Is(err, driver.ErrNotFound) {
			return s.failure("delete", token, err)
		}
		return nil
	}
	if s.opts.Timeout > 0 {
		ctx = context.WithoutCancel(ctx) // a client that hangs up does not take its sign-out back
	}
	reason, n := deletionFor(), t.get(s, token)
	if reason == byRenewal && n.settled {
		return ErrLate
	}
	var renewed []predecessor // which the session carries on that is deleted
	if n.state == 0 && (reason == byRenewal && s.carrier == nil || reason == byDestroy) {
		renewed = t.predecessors(ctx, s)
	}
	if reason == byRenewal && s.carrier == nil {
		if n.state != 0 {
			t.renews(ctx, s, n)
			return nil
		}
		if len(renewed) > 0 {
			return nil // the token of an earlier renewal, which was never stored
		}
	}
	if reason == byDestroy && len(renewed) > 0 {
		// The token was never stored: what it was to carry on is what ends.
		if err := s.endTracked(ctx, t, reason, renewed[len(renewed)-1]); err != nil {
			return err
		}
	}
	return s.endTracked(ctx, t, reason, predecessor{n, n.renewed(ctx)})
}

// endTracked deletes a session, and notes that; its renewals are given up with it.
func (s *Store) endTracked(ctx context.Context, t *tracker, reason deletion, n predecessor) error {
	id, _ := s.ids.id(n.token)
	var err error
	if reason == byMerge && n.state == noteLive && s.carrier == nil {
		err = s.retireMerged(ctx, n.note)
	} else {
		err = s.remove(ctx, id)
	}
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return s.failure("delete", n.token, err)
	}
	switch {
	case err != nil && reason == byMerge && n.state != 0:
		t.strayed(ctx, s, n.note)
	case reason == byMerge && n.state == noteLive:
		t.ended(s, n.token, noteRenewed, n.by) // it goes on, in the other
	case err == nil || n.state != 0:
		t.ended(s, n.token, noteDeleted, n.by)
	}
	return nil
}

// retireMerged puts a tombstone in the place of a session that lives on in another. The error is
// driver.ErrNotFound if another request has destroyed or renewed it.
func (s *Store) retireMerged(ctx context.Context, n note) error {
	id, _ := s.ids.id(n.token)
	for attempt := range maxAttempts {
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
		err := s.retire(ctx, &n)
		if !lostRace(err) {
			return err
		}
		current, err := s.load(ctx, id)
		if err != nil {
			return err
		}
		n.data, n.version, n.expiry = current.Data, current.Version, current.Expiry
	}
	return driver.ErrConflict
}
