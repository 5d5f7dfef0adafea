package main

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// gates hold requests that have loaded their session and have not yet changed it. So the requests
// of a trial are certain to overlap.
type gates struct {
	mu   sync.Mutex
	open map[string]*gate
}

// gate holds requests until release is called.
type gate struct {
	id      string
	arrived chan struct{}
	passed  chan struct{}
}

func (g *gates) add() (_ *gate, remove func()) {
	a := &gate{id: rand.Text(), arrived: make(chan struct{}), passed: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(map[string]*gate)
	}
	g.open[a.id] = a
	return a, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.open, a.id)
	}
}

// wait waits at the gate with the given id, for at most ten seconds. If there is no such gate it
// returns at once.
func (g *gates) wait(ctx context.Context, id string) {
	g.mu.Lock()
	a := g.open[id]
	g.mu.Unlock()
	if a == nil {
		return
	}
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	select {
	case a.arrived <- struct{}{}:
	case <-limit.C:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-a.passed:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// gather waits until n requests have arrived at the gate.
func (a *gate) gather(ctx context.Context, n int) error {
	for range n {
		select {
		case <-a.arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// release lets all waiting requests pass. Call it once.
func (a *gate) release() { close(a.passed) }
