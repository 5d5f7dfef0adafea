package scskit

import (
	"context"
	"errors"

	"github.com/scskit/scskit/driver"
)

// DeleteCtx implements scs.CtxStore. Deleting a session that does not exist is not an error. If the
// session was renewed meanwhile, it ends under its new token.
//
// In a context with a tracker the session is deleted even if ctx has been canceled, unless
// Options.Timeout is negative. DeleteCtx then also distinguishes SessionManager's Destroy,
// RenewToken and MergeSession. RenewToken may fail with ErrLate. The old session of RenewToken and
// the source of MergeSession are removed by the next commit. (A store that keeps sessions in
// cookies cannot remove them.)
func (s *Store) DeleteCtx(ctx context.Context, token string) error {
	if u := updateFrom(ctx); u != nil {
		return u.refuse()
	}
	t := trackerFrom(ctx)
	if t == nil {
		id, ok := s.ids.id(token)
		if !ok {
			return nil
		}
		if _, err := s.endAny(ctx, id, 0); err != nil {
			return s.failure("delete", token, err)
		}
		return nil
	}
	if s.opts.Timeout > 0 {
		ctx = context.WithoutCancel(ctx) // a sign-out must not depend on the client's connection
	}
	reason, n := callerReason(), t.get(s, token)
	if reason == reasonDestroy { // destroy its merge sources too
		for _, n := range t.sources(ctx, s) {
			if n.state == noteLive {
				if err := s.endTracked(ctx, t, reason, predecessor{n, nil}); err != nil {
					return err
				}
				n.state = noteDeleted
			}
			t.endSource(s, n.token, n.state)
		}
	}
	if reason == reasonRenewal && t.late(s, token) {
		return ErrLate
	}
	if _, ok := s.ids.id(token); !ok {
		return nil
	}
	var renewed []predecessor // the sessions that this one replaces
	if n.state == 0 && (reason == reasonRenewal && s.carrier == nil || reason == reasonDestroy) {
		renewed = t.predecessors(ctx, s)
	}
	if reason == reasonRenewal && s.carrier == nil {
		if n.state != 0 {
			t.renews(ctx, s, n)
			return nil
		}
		if len(renewed) > 0 {
			return nil // RenewToken was called twice: this token was never stored
		}
	}
	if reason == reasonDestroy && len(renewed) > 0 {
		// The token was never stored. Destroy the session that it would have replaced.
		if err := s.endTracked(ctx, t, reason, renewed[len(renewed)-1]); err != nil {
			return err
		}
	}
	return s.endTracked(ctx, t, reason, predecessor{n, n.renewed(ctx)})
}

// endTracked deletes a session, and records that. The source of a merge is not deleted yet: the
// commit of the target retires it.
func (s *Store) endTracked(ctx context.Context, t *tracker, reason deleteReason,
	n predecessor) error {
	if reason == reasonMerge && n.state == noteLive && s.carrier == nil {
		t.addSource(ctx, s, n.note, noteLive)
		return nil
	}
	if n.extras().adopted && n.alias == "" && reason == reasonDestroy {
		if err := s.endAdopted(ctx, &n.note); err != nil {
			return s.failure("delete", n.token, err)
		}
		t.ended(s, n.token, noteDeleted, n.renewals)
		return nil
	}
	var found bool
	var err error
	switch id := s.idOf(&n.note); reason {
	case reasonRenewal, reasonMerge:
		err = s.remove(ctx, id, driver.Always())
		found = err == nil
	default:
		found, err = s.endAny(ctx, id, n.version)
	}
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return s.failure("delete", n.token, err)
	}
	switch {
	case !found && reason == reasonMerge && n.state != 0:
		t.addSource(ctx, s, n.note, noteGone)
	case reason == reasonMerge && n.state == noteLive:
		t.ended(s, n.token, noteRenewed, n.renewals) // it continues in the target
	case found || n.state != 0:
		t.ended(s, n.token, noteDeleted, n.renewals)
	}
	return nil
}
