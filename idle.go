package scskit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/codec"
	"github.com/scskit/scskit/internal/signin"
)

// SetIdleTimeout gives the session in ctx an idle timeout of its own, in place of the manager's
// IdleTimeout. It may be shorter or longer, and the manager need not have one. The session never
// outlives its deadline, which the manager's Lifetime sets. Zero removes the session's own timeout.
// It counts in milliseconds, rounded up.
//
// It is part of the session: it takes effect at the commit, and concurrent requests and RenewToken
// keep it. Destroy and Clear remove it.
//
// Each request that uses the session prolongs it, with one write in a touch interval, also if the
// manager has no IdleTimeout: then the adapter commits sessions with a timeout of their own, and no
// others. The touch interval is Options.TouchInterval, but at most a tenth of the session's own
// timeout. With scs's own middleware only requests that change the session prolong it, unless the
// manager has an IdleTimeout, and the cookie expires as if the session had no timeout of its own.
//
// The error is not nil if d is negative or the manager's store is not a *Store.
func SetIdleTimeout(ctx context.Context, sm *scs.SessionManager, d time.Duration) error {
	if _, err := storeOf(sm); err != nil {
		return failed("set the idle timeout", err)
	}
	if d < 0 {
		return fmt.Errorf("scskit: set the idle timeout: it is %v: pass a positive one, or 0 to use "+
			"the manager's", d)
	}
	facts, _ := signin.Parse(sm.Get(ctx, signin.Key))
	if facts.Idle == d {
		return nil
	}
	facts.Idle = d
	putFacts(ctx, sm, &facts)
	return nil
}

// putFacts stores the facts in the session.
func putFacts(ctx context.Context, sm *scs.SessionManager, facts *signin.Facts) {
	if text := facts.Encode(); text != "" {
		sm.Put(ctx, signin.Key, text)
		return
	}
	sm.Remove(ctx, signin.Key)
}

// storeOf returns the store of a manager.
func storeOf(sm *scs.SessionManager) (*Store, error) {
	if sm == nil {
		return nil, errors.New("the session manager is nil: make one with scskit.New(store)")
	}
	s, ok := StoreOf(sm.Store)
	if !ok {
		return nil, fmt.Errorf("SessionManager.Store is a %T: use a *scskit.Store, from a package "+
			"under stores", sm.Store)
	}
	return s, nil
}

// span is what the data of a session say about its expiry.
type span struct {
	deadline time.Time
	known    bool          // the data have a deadline
	idle     time.Duration // the session's own idle timeout; 0 if it has none
}

// span decodes the data once.
func (c storeCodec) span(data []byte) (l span) {
	if c.own {
		l.deadline, l.known = codec.Deadline(data)
		if l.known {
			l.idle = signin.IdleIn(codec.PickText(data, signin.Key))
		}
		return l
	}
	deadline, values, err := c.Decode(data)
	return span{deadline, err == nil, signin.Idle(values[signin.Key])}
}

// expiry returns when a session ends if it is not used again: at given, which scs has asked for, or
// after its own idle timeout, but not after its deadline.
func (l span) expiry(now, given time.Time) time.Time {
	if l.idle <= 0 || !l.known {
		return given
	}
	if expiry := now.Add(l.idle); expiry.Before(l.deadline) {
		return expiry
	}
	return l.deadline
}

// expires sets when the session ends if it is not used again, and returns the expiry to store.
func (c *commitOp) expires() (stored time.Time) {
	s := c.store
	l := s.codec.span(c.plain)
	c.until = l.expiry(s.opts.Now(), c.expiry)
	return s.withSlack(l, c.until)
}

// mergedExpiry returns the expiry of a merged record; see mergeResult.expiry. If the session has an
// idle timeout of its own, or had one when it was loaded, neither of the two expiries counts: they
// may be from before it was set.
func (c *commitOp) mergedExpiry(m *mergeResult, ours, theirs time.Time) time.Time {
	s := c.store
	l := s.codec.span(m.data)
	if l.idle == 0 && s.codec.span(c.note.data).idle == 0 {
		return m.expiry(ours, theirs)
	}
	given := c.expiry
	if given.After(l.deadline) {
		given = l.deadline
	}
	return s.withSlack(l, l.expiry(s.opts.Now(), given))
}

// HasIdleTimeout implements tracking.Tracker.
func (t *tracker) HasIdleTimeout(store scs.Store, token string) (has, known bool) {
	s, ok := StoreOf(store)
	if !ok || !s.codec.own {
		return false, false
	}
	data := t.get(s, token).data
	return signin.IdleIn(codec.PickText(data, signin.Key)) > 0, true
}
