package bound

import (
	"sync"
	"sync/atomic"
	"time"
)

// end is closed when its time has come.
type end struct {
	at   time.Duration // since the epoch
	done chan struct{}
}

var (
	over  = make(chan struct{}) // closed
	epoch = time.Now()
	last  atomic.Pointer[end] // the one that was asked for last
	mu    sync.Mutex
	ends  = make(map[time.Duration]*end) // those that are to come
)

func init() { close(over) }

// after returns a channel that is closed soon after a deadline, which was timeout away when it was
// set. Contexts share it whose deadlines are close.
func after(deadline time.Time, timeout time.Duration) <-chan struct{} {
	apart := time.Millisecond
	for apart < timeout/64 {
		apart *= 2
	}
	at := (deadline.Sub(epoch)/apart + 1) * apart
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
