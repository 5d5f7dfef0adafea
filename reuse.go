package scskit

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
)

// A browser may send requests with the old token of a renewed session: they were under way when it
// got the new cookie. Such a request sees no session, changes nothing, and its response leaves the
// cookie alone, or it would sign the user out. After a periodic renewal, where nobody signed in, it
// may go on with the renewed session. When renewalGrace has passed, the browser has the new cookie,
// or has never got it. An old token then may be a stolen one.

// idOf returns the id of a note's record.
func (s *Store) idOf(n *note) string {
	if n.alias != "" {
		return n.alias
	}
	id, _ := s.ids.id(n.token)
	return id
}

// maxGrace is how many periodic renewals within renewalGrace are followed.
const maxGrace = 4

// successor returns the session that a periodic renewal has put in the place of the token's, if the
// request with the old token may use it. Otherwise the error matches driver.ErrNotFound.
func (s *Store) successor(ctx context.Context, t *tracker, token string,
	renewed *renewedError) (rec driver.Record, err error) {
	err = renewed
	for range maxGrace {
		if s.opts.Now().Sub(renewed.rec.Updated) > renewalGrace {
			n := t.get(s, token)
			if n.extras().adopt != nil { // the old cookie of another package, which may have stayed
				return driver.Record{}, renewed
			}
			return driver.Record{}, s.reused(ctx, token, renewed)
		}
		t.update(s, token, func(n *note) { n.replaced = true })
		next, ok := renewed.periodic()
		if !ok {
			break
		}
		if rec, err = s.load(ctx, next); !errors.As(err, &renewed) {
			break
		}
	}
	return rec, err
}

// reused reports the use of a token that was renewed long ago.
func (s *Store) reused(ctx context.Context, token string, renewed *renewedError) error {
	if renewed.next != nil && renewed.next[0].why == byMerge {
		return renewed // the program has put the session into another
	}
	s.report(ctx, Event{Kind: KindReuse, Outcome: OutcomeOK, ID: hash(token)})
	if !s.opts.EndOnReuse || renewed.user == "" || s.opts.UserKey == "" {
		return renewed
	}
	if _, err := s.destroySessionsOf(ctx, renewed.user, nil); err != nil &&
		!errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return renewed
}

// Renewed implements tracking.Tracker.
func (t *tracker) Renewed(store scs.Store, token string) bool {
	s, ok := StoreOf(store)
	return ok && t.get(s, token).replaced
}

// Alias implements tracking.Tracker.
func (t *tracker) Alias(store scs.Store, token string) string {
	s, ok := StoreOf(store)
	if !ok {
		return ""
	}
	return t.get(s, token).alias
}

// RenewalDue implements tracking.Tracker.
func (t *tracker) RenewalDue(store scs.Store, token string, every time.Duration) bool {
	s, ok := StoreOf(store)
	if !ok || s.carrier != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.find(s, token)
	if n == nil || n.state != noteLive || n.alias != "" || n.settled || len(n.extras().renewals) > 0 ||
		s.opts.Now().Sub(n.created) < every {
		return false
	}
	n.periodic = true
	return true
}
