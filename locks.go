package scskit

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scskit/scskit/internal/bound"
)

// keyedMutex is a set of mutexes, one for each session. A Store uses it to merge the commits of one
// session in this process one at a time. Otherwise, of n concurrent merges, n-1 would lose the race
// and load again, which is quadratic work.
type keyedMutex struct {
	mu    sync.Mutex
	locks map[string]*sessionLock
}

// sessionLock is the mutex of one session. It is dropped when nobody holds it or waits for it.
type sessionLock struct {
	held chan struct{}
	refs int
}

func newKeyedMutex() *keyedMutex { return &keyedMutex{locks: make(map[string]*sessionLock)} }

func (m *keyedMutex) lock(ctx context.Context, id string) error {
	m.mu.Lock()
	l := m.locks[id]
	if l == nil {
		l = &sessionLock{held: make(chan struct{}, 1)}
		m.locks[id] = l
	}
	l.refs++
	m.mu.Unlock()
	select {
	case l.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		m.release(id, l)
		return ctx.Err()
	}
}

func (m *keyedMutex) unlock(id string) {
	m.mu.Lock()
	l := m.locks[id]
	m.mu.Unlock()
	<-l.held
	m.release(id, l)
}

func (m *keyedMutex) release(id string, l *sessionLock) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.refs--; l.refs == 0 {
		delete(m.locks, id)
	}
}

// backOff waits before a retry. It does not wait before attempt 0. After that it waits a random
// time, whose maximum grows from 1 ms to 16 ms.
func backOff(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	return bound.Sleep(ctx, rand.N(time.Millisecond<<min(attempt-1, 4)))
}

// turn waits at most the given time for the mutex. It is for those that run code of the
// application, which may wait for another holder: after that time they go on without their turn.
// They compare versions, so the mutex only saves them attempts.
func (m *keyedMutex) turn(ctx context.Context, id string,
	wait time.Duration) (end func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if m.lock(waiting, id) == nil {
		return func() { m.unlock(id) }, nil
	}
	return func() {}, ctx.Err()
}

// maxTurnWait limits how long code of the application in another goroutine can hold up a commit.
const maxTurnWait = time.Second

// mergeTurn waits for the turn to merge a session.
func (s *Store) mergeTurn(ctx context.Context, id string) (end func(), err error) {
	if len(s.opts.Merge) > 0 {
		return s.mergeLocks.turn(ctx, id, maxTurnWait)
	}
	if err := s.mergeLocks.lock(ctx, id); err != nil {
		return nil, err
	}
	return func() { s.mergeLocks.unlock(id) }, nil
}
