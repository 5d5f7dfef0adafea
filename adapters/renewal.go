package adapters

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// RenewEvery gives a session a new token when it has had one for the given time, so that a stolen
// token is good for at most that time and a moment. The session's deadline stays. It needs a
// *scskit.Store that keeps sessions on a server; OWASP recommends it for long sessions. A renewal
// costs two writes more.
//
// Requests that the browser sends with the old token go on with the session for ten seconds. A
// later use of the old token finds no session, and is reported as scskit.KindReuse: see
// scskit.Options.EndOnReuse.
func RenewEvery(d time.Duration) Option {
	return func(o *options) { o.renewEvery, o.renewEverySet = d, true }
}

// validateRenewal checks RenewEvery. s is nil if the store is not a *scskit.Store.
func (l *Lifecycle) validateRenewal(s *scskit.Store, carries bool) error {
	if !l.opts.renewEverySet {
		return nil
	}
	if l.opts.renewEvery <= 0 {
		return fmt.Errorf("the option RenewEvery is %v: it must be positive", l.opts.renewEvery)
	}
	if s == nil {
		return errors.New("the option RenewEvery is set, but the store is not a *scskit.Store: remove it")
	}
	if carries {
		return errors.New("the option RenewEvery is set, but the store keeps sessions in cookies, and " +
			"cannot end the old one: remove it")
	}
	return nil
}

// renewIfDue renews the session before it is committed, if it has had its token for long enough.
// The handler has not renewed it.
func (r *Request) renewIfDue() error {
	every := r.l.opts.renewEvery
	if r.legacy != nil && r.legacy.adopted && r.status != scs.Destroyed {
		every = 1 // the session gets a token of ours
	}
	answered := !r.hijacked && r.base.Err() == nil // somebody will get the new token
	if every == 0 || r.token == "" || r.status == scs.Destroyed || r.failedOpen || !answered {
		return nil
	}
	sm := r.l.sm
	if sm.Token(&r.ctx) != r.token || !r.tracker.RenewalDue(sm.Store, r.token, every) {
		return nil
	}
	deadline := sm.Deadline(&r.ctx)
	if err := sm.RenewToken(&r.ctx); err != nil {
		return err
	}
	sm.SetDeadline(&r.ctx, deadline)
	r.periodic = true
	r.status = sm.Status(&r.ctx)
	return nil
}

// destroySuccessors ends the session that the handler of a request with an old token has destroyed:
// the one that the browser got when the old one was renewed a moment ago.
func (r *Request) destroySuccessors() error {
	s, ok := scskit.StoreOf(r.l.sm.Store)
	if !ok {
		return nil
	}
	for _, token := range r.tokens[:r.ntokens] {
		if !r.tracker.Renewed(s, token) {
			continue
		}
		if err := s.DeleteCtx(r.base, token); err != nil {
			return err
		}
	}
	return nil
}

// wasRenewed reports whether a token of the request was renewed a moment ago.
func (r *Request) wasRenewed() bool {
	if r.legacy != nil && r.tracker.Renewed(r.l.sm.Store, r.legacy.token) {
		return true
	}
	return slices.ContainsFunc(r.tokens[:r.ntokens], func(token string) bool {
		return r.tracker.Renewed(r.l.sm.Store, token)
	})
}

// reportGone reports that the changes of a request with an old token are not stored.
func (r *Request) reportGone() {
	if r.l.report == nil {
		return
	}
	for _, token := range r.tokens[:r.ntokens] {
		if r.tracker.Renewed(r.l.sm.Store, token) {
			r.l.report(r.base, scskit.Event{
				Kind: scskit.KindGone, Outcome: scskit.OutcomeOK, ID: scskit.HashToken(token),
			})
		}
	}
}
