package scskit

import (
	"context"
	"time"
)

// What a store and the adapters tell each other through the tracker.

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
		if n.token == token && n.commit.State != 0 {
			return n.commit, true
		}
	}
	return CommitResult{}, false
}

type loadedKey struct{}

// loadedBy is what WithLoaded says.
type loadedBy struct {
	manager any
	token   string
}

// WithLoaded returns a context for a commit that says which manager commits, by the key under which
// it keeps its session in contexts, and which token it has loaded the session for, "" if there was
// none. Where several managers share a store and a tracker, the store can then tell which of the
// sessions that are being renewed a new token carries on. It is for adapters.
func WithLoaded(ctx context.Context, manager any, token string) context.Context {
	return context.WithValue(ctx, loadedKey{}, loadedBy{manager, token})
}

// Asks says that a manager, by the key under which it keeps its session in contexts, asks for that
// session. Where adapters of several managers are around one request, each asks through its own
// context, and the store can then tell who asks it. It is for adapters.
func Asks(ctx context.Context, manager any) {
	if t := trackerFrom(ctx); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.asked(manager)
		t.told = true
	}
}

// askerOf returns the key of the manager that asks the store; known is false if nobody has told.
func askerOf(ctx context.Context) (manager any, known bool) {
	if hint, ok := ctx.Value(loadedKey{}).(loadedBy); ok {
		return hint.manager, true
	}
	t := trackerFrom(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager, t.told
}

// Settle says that the response has begun whose cookie tells of the session with the token: from
// now on SessionManager.RenewToken fails for it, with ErrLate. It is for adapters.
func Settle(ctx context.Context, token string) {
	t := trackerFrom(ctx)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		n.settled = n.settled || n.token == token
	}
}
