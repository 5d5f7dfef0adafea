package bound

import (
	"sync"
	"sync/atomic"
	"time"
)

// end is a channel that is closed at a point in time.
type end struct {
	at   time.Duration // since epoch
	done chan struct{}
}

var (
	closed = make(chan struct{})
	epoch  = time.Now()
	last   atomic.Pointer[end] // the result of the last call of after
	mu     sync.Mutex
	ends   = make(map[time.Duration]*end) // those not yet closed, by their time
)

func init() { close(closed) }

// after returns a channel that is closed soon after the deadline, which was set timeout before.
// Contexts with close deadlines share a channel and its timer.
func after(deadline time.Time, timeout time.Duration) <-chan struct{} {
	interval := time.Millisecond
	for interval < timeout/64 {
		interval *= 2
	}
	at := (deadline.Sub(epoch)/interval + 1) * interval
	if e := last.Load(); e != nil && e.at == at {
		return e.done
	}
	mu.Lock()
	defer mu.Unlock()
	e, ok := ends[at]
	if !ok {
		e = &end{at, make(chan struct{})}
		ends[at] = e
		time.AfterFunc(time.Until(epoch.Add(at)), e.close)
	}
	last.Store(e)
	return e.done
}

func (e *end) close() {
	mu.Lock()
	delete(ends, e.at)
	mu.Unlock()
	close(e.done)
}
