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
	t := trackerFrom(ctx)
	if t == nil {
		id, ok := s.ids.id(token)
		if !ok {
			return nil
		}
		if err := s.remove(ctx, id); err != nil && !errors.Is(err, driver.ErrNotFound) {
			return s.failure("delete", token, err)
		}
		return nil
	}
	if s.opts.Timeout > 0 {
		ctx = context.WithoutCancel(ctx) // a client that hangs up does not take its sign-out back
	}
	reason, n := deletionFor(), t.get(s, token)
	if reason == byDestroy { // and so with it what it has absorbed
		for _, n := range t.absorbed(ctx, s) {
			if n.state == noteLive {
				if err := s.endTracked(ctx, t, reason, predecessor{n, nil}); err != nil {
					return err
				}
				n.state = noteDeleted
			}
			t.released(s, n.token, n.state)
		}
	}
	if _, ok := s.ids.id(token); !ok {
		return nil
	}
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

// endTracked deletes a session, and notes that; its renewals are given up with it. One that is
// merged goes on until the session is stored that has absorbed it.
func (s *Store) endTracked(ctx context.Context, t *tracker, reason deletion, n predecessor) error {
	if reason == byMerge && n.state == noteLive && s.carrier == nil {
		t.absorbs(ctx, s, n.note, noteLive)
		return nil
	}
	id, _ := s.ids.id(n.token)
	err := s.remove(ctx, id)
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return s.failure("delete", n.token, err)
	}
	switch {
	case err != nil && reason == byMerge && n.state != 0:
		t.absorbs(ctx, s, n.note, noteGone)
	case reason == byMerge && n.state == noteLive:
		t.ended(s, n.token, noteRenewed, n.by) // it goes on, in the other
	case err == nil || n.state != 0:
		t.ended(s, n.token, noteDeleted, n.by)
	}
	return nil
}
