package scskit

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/tracking"
)

// CommitResult is the result of a commit to a Store in a context with a tracker.
type CommitResult struct {
	// State says what was stored.
	State CommitState
	// Expiry is when the stored record expires. It is zero if State is CommitGone. The cookie should
	// expire at the same time.
	Expiry time.Time
	// Value is the cookie's value, if the store keeps sessions in cookies. Otherwise it is empty, and
	// the value is the token.
	Value string
	// Merged is the encoded session as it is stored, if it includes changes by other requests.
	// Otherwise it is nil.
	Merged []byte
}

// CommitState says what a commit has stored.
type CommitState uint8

const (
	// CommitKept means that nothing was written: the stored record is the same, and does not expire
	// too early.
	CommitKept CommitState = iota + 1
	// CommitStored means that the session, or its new expiry, was written.
	CommitStored
	// CommitGone means that another request has destroyed or renewed the session, or that it has
	// expired. Nothing was stored. The token is no longer valid.
	CommitGone
)

// LastCommit returns the result of the last commit of token in a context with a tracker. If an
// earlier commit in the same context wrote the session, and the last one had nothing to write, the
// State is CommitStored. ok is false if there was no commit, or if the manager's store is not a
// *Store.
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

// NoteManager implements tracking.Tracker.
func (t *tracker) NoteManager(manager any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noteManager(manager)
	t.managerKnown = true
}

// Settle implements tracking.Tracker.
func (t *tracker) Settle(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = true
	for n := range t.all {
		n.settled = n.settled || n.token == token
	}
}

// Began implements tracking.Tracker.
func (t *tracker) Began() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.began
}

// late reports whether the token of a session cannot be set any more: the response has begun.
func (t *tracker) late(s *Store, token string) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.find(s, token)
	return n != nil && n.settled || token == "" && t.began
}

// Found implements tracking.Tracker.
func (t *tracker) Found(store scs.Store, token string) bool {
	s, ok := store.(*Store)
	return ok && s != nil && t.get(s, token).state == noteLive
}

// has reports whether a session with the id was loaded under its token.
func (t *tracker) has(s *Store, id string) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.all {
		if _, isKey := s.ids.listed(n.token); n.store == s.origin && n.state == noteLive && !isKey &&
			s.idOf(n) == id {
			return true
		}
	}
	return false
}

// managerOf returns the key of the manager that calls the store. known is false outside the
// adapters.
func managerOf(ctx context.Context) (manager any, known bool) {
	if c, ok := tracking.CommitterFrom(ctx); ok {
		return c.Manager, true
	}
	t := trackerFrom(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manager, t.managerKnown
}
