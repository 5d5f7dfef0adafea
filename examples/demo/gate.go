package main

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// gates hold requests between loading their session and changing it, so that requests are
// in flight together for certain and not by chance. All that a gate does is wait.
type gates struct {
	mu   sync.Mutex
	open map[string]*gate
}

// gate is one of them. It is passed by nobody before all who are expected have come.
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

// wait waits at the gate with the given id. An empty or unknown one stands open.
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

// gather returns when n requests have arrived.
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

// release lets everyone pass. It must be called once.
func (a *gate) release() { close(a.passed) }
