package conformance

import (
	"sync"
	"time"
)

// gate holds handlers, so that what a check does meanwhile is sure to come between the
// beginning of their requests and the end.
type gate struct {
	t       *checkT
	entered chan struct{}
	opened  chan struct{}
	once    sync.Once
}

func (t *checkT) gate() *gate {
	return &gate{t: t, entered: make(chan struct{}, 1000), opened: make(chan struct{})}
}

// pass is called by handlers.
func (g *gate) pass() {
	g.entered <- struct{}{}
	select {
	case <-g.opened:
	case <-g.t.Context().Done():
	case <-time.After(g.t.ordeal()): // the check has failed, and says so
	}
}

// await waits until n handlers are held.
func (g *gate) await(n int) {
	g.t.Helper()
	timeout := time.NewTimer(g.t.ordeal())
	defer timeout.Stop()
	for range n {
		select {
		case <-g.entered:
		case <-timeout.C:
			g.open()
			g.t.Fatalf("the handlers did not run: %d of them were expected", n)
		}
	}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }
