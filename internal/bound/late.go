package bound

import (
	"sync"
	"sync/atomic"
	"time"
)

// grain is how far the ends are apart that many contexts share, if they have some seconds: they are so much later than their
// deadlines, at most. Those that have longer share ends that are farther apart, but less than 1/32 of their time.
const grain = 100 * time.Millisecond

// end is closed when its time has come.
type end struct {
	at   time.Duration // since the epoch
	done chan struct{}
}

var (
	epoch = time.Now()
	last  atomic.Pointer[end] // the one that was asked for last
	mu    sync.Mutex
	ends  = make(map[time.Duration]*end) // those that are to come
)

// after returns a channel that is closed soon after a deadline, which was at most timeout away when it was set.
func after(deadline time.Time, timeout time.Duration) <-chan struct{} {
	g := grain
	for g < timeout/64 {
		g *= 2
	}
	at := (deadline.Sub(epoch)/g + 1) * g
	if e := last.Load(); e != nil && e.at == at {
		return e.done
	}
	mu.Lock()
	defer mu.Unlock()
	e, ok := ends[at]
	if !ok {
		e = &end{at, make(chan struct{})}
		if wait := time.Until(epoch.Add(at)); wait > 0 {
			ends[at] = e
			time.AfterFunc(wait, e.close)
		} else {
			close(e.done)
		}
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
