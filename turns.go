package scskit

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// turns lets the merges of one session in this process go one after the other. Of many that try at
// once all but one would fail and load again, so that the work would grow with the square of
// their number. No session waits for another.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn
}

// turn is that of one session, which those share who have it or wait for it.
type turn struct {
	token chan struct{}
	users int
}

func newTurns() *turns { return &turns{taken: make(map[string]*turn)} }

func (t *turns) take(ctx context.Context, id string) error {
	t.mu.Lock()
	u := t.taken[id]
	if u == nil {
		u = &turn{token: make(chan struct{}, 1)}
		t.taken[id] = u
	}
	u.users++
	t.mu.Unlock()
	select {
	case u.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		t.leave(id, u)
		return ctx.Err()
	}
}

func (t *turns) give(id string) {
	t.mu.Lock()
	u := t.taken[id]
	t.mu.Unlock()
	<-u.token
	t.leave(id, u)
}

func (t *turns) leave(id string, u *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.users--; u.users == 0 {
		delete(t.taken, id)
	}
}

// backOff waits before the given attempt: not at all before the first, then a random time
// that grows to 16 ms, so that writers who have met do not meet again.
func backOff(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(time.Millisecond << min(attempt-1, 4)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
