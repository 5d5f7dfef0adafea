package scskit

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/tracking"
)

// CommitResult is what became of a commit to a Store in a context with a tracker.
type CommitResult struct {
	// State says what was stored.
	State CommitState
	// Expiry is when the stored record expires; zero if it is CommitGone. The cookie
	// should expire at the same time.
	Expiry time.Time
	// Value is what the cookie must hold in place of the token, if the store keeps sessions
	// in the client; otherwise it is empty.
	Value string
	// Merged is the session as it is stored, if it holds what other requests have changed too.
	Merged []byte
}

// CommitState says what became of a commit.
type CommitState uint8

const (
	// CommitKept says that nothing was written, since the stored record says the same and
	// lasts long enough.
	CommitKept CommitState = iota + 1
	// CommitStored says that the session, or its new expiry, was written.
	CommitStored
	// CommitGone says that the session was destroyed or renewed by another request, or has
	// expired. Nothing was stored, and the token is worth nothing.
	CommitGone
)

// LastCommit returns what became of the last commit for token in a context with a tracker. Its
// State is CommitStored also if an earlier commit stored something and the last had nothing to add.
// ok is false if there was none, or the manager's store is not a *Store.
func LastCommit(ctx context.Context, token string) (c CommitResult, ok bool) {
	t := trackerFrom(ctx)
	if t == nil {
		return CommitResult{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		if n.token == token && n.result.State != 0 {
			return n.result, true
		}
	}
	return CommitResult{}, false
}

// Asks implements tracking.Tracker.
func (t *tracker) Asks(manager any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked(manager)
	t.managersTold = true
}

// Settle implements tracking.Tracker.
func (t *tracker) Settle(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		n.settled = n.settled || n.token == token
	}
}

// Found implements tracking.Tracker.
func (t *tracker) Found(store scs.Store, token string) bool {
	s, ok := store.(*Store)
	return ok && s != nil && t.get(s, token).state == noteLive
}

// askerOf returns the key of the manager that asks the store. known is false outside the adapters.
func askerOf(ctx context.Context) (manager any, known bool) {
	if c, ok := tracking.CommitterFrom(ctx); ok {
		return c.Manager, true
	}
	t := trackerFrom(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager, t.managersTold
}
