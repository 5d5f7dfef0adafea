package conformance

import (
	"sync"
	"time"
)

// gate holds handlers, so that a check can act between the start and the end of their requests.
type gate struct {
	t       *checkT
	entered chan struct{}
	opened  chan struct{}
	once    sync.Once
}

func (t *checkT) gate() *gate {
	return &gate{t: t, entered: make(chan struct{}, 1000), opened: make(chan struct{})}
}

// pass holds the calling handler until the gate opens.
func (g *gate) pass() {
	g.entered <- struct{}{}
	select {
	case <-g.opened:
	case <-g.t.Context().Done():
	case <-time.After(g.t.crowdTimeout()): // await fails the check
	}
}

// await waits until the gate holds n handlers.
func (g *gate) await(n int) {
	g.t.Helper()
	timeout := time.NewTimer(g.t.crowdTimeout())
	defer timeout.Stop()
	for range n {
		select {
		case <-g.entered:
		case <-timeout.C:
			g.open()
			g.t.Fatalf("%d handlers should run, but not all of them started", n)
		}
	}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }
