package conformance

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit/driver"
)

// No outcome depends on the speed of the machine or the backend. Waiting times follow the measured
// pace of the subject, and crowds are as large as the backend can serve.

// usualOp is the longest time of an operation for which the times below are made.
const usualOp = 20 * time.Millisecond

// subject is the state that the checks of one store or driver share.
type subject struct {
	once  sync.Once
	op    time.Duration // the slowest of a few plain operations
	slots chan struct{} // one for each check that may run concurrently
	hung  atomic.Bool   // a check of the subject has hung
}

// measured returns the subject. The first call measures its pace.
func (j job) measured(ctx context.Context) *subject {
	s := j.subject
	if s == nil {
		return &subject{slots: make(chan struct{}, 1)}
	}
	s.once.Do(func() {
		var slowest atomic.Int64 // atomic, because the goroutine may outlive the measurement
		pacer := job{
			check: check{id: "pace", run: func(t *checkT) { slowest.Store(int64(t.measure())) }},
			store: j.store, driver: j.driver, group: j.group,
		}
		v := pacer.watched(ctx, new(subject), stall)
		s.hung.Store(v.hung)
		s.op = time.Duration(slowest.Load())
		n := 1
		switch {
		case s.op < usualOp/2:
			n = min(max(4, 2*runtime.GOMAXPROCS(0)), 16)
		case s.op < 5*usualOp:
			n = 2
		}
		s.slots = make(chan struct{}, n)
	})
	return s
}

// measure returns the longest time of a few plain operations. It ignores the first round, which
// opens connections. It ignores failures too: the checks report them.
func (t *checkT) measure() (slowest time.Duration) {
	defer func() { _ = recover() }()
	operations := t.plainOperations()
	for round := range 4 {
		for _, operation := range operations {
			t.alive()
			begin := time.Now()
			if operation() != nil {
				return slowest
			}
			if took := time.Since(begin); round > 0 {
				slowest = max(slowest, took)
			}
		}
		if slowest > time.Second {
			break
		}
	}
	return slowest
}

// plainOperations returns operations that save, load and delete one session.
func (t *checkT) plainOperations() []func() error {
	if t.driver != nil {
		d := t.driver.New(t)
		rec := record(newID(), "data")
		return []func() error{
			func() error { return d.Save(t.Context(), rec, driver.Always()) },
			func() error { _, err := d.Load(t.Context(), rec.ID); return err },
			func() error { return d.Delete(t.Context(), rec.ID, driver.Always()) },
		}
	}
	s := t.store.New(t)
	if _, ok := carrierOf(s); ok {
		return nil
	}
	token := newToken()
	return []func() error{
		func() error { return commitCtx(t.Context(), s, token, []byte("data"), in(lifetime)) },
		func() error { _, _, err := findCtx(t.Context(), s, token); return err },
		func() error { return deleteCtx(t.Context(), s, token) },
	}
}

// scaled returns d, stretched by up to twenty times for a slow backend.
func (s *subject) scaled(d time.Duration) time.Duration {
	return d + min(19*d, time.Duration(float64(d)*(float64(s.op)/float64(usualOp))))
}

// short is the lifetime of sessions that expire during a check. It is long enough to find them
// alive before.
func (t *checkT) short() time.Duration { return t.subject.scaled(300 * time.Millisecond) }

// eventTimeout is how long a check waits for an event before it takes the event for missing.
func (t *checkT) eventTimeout() time.Duration { return t.subject.scaled(10 * time.Second) }

// crowdTimeout is how long a crowd of requests may take on a busy machine. It is also the timeout
// of stores in checks.
func (t *checkT) crowdTimeout() time.Duration { return 4 * t.eventTimeout() }

// crowd returns the number of concurrent clients: n, or at least four as many as the backend can
// serve in about twenty seconds with the given operations each.
func (t *checkT) crowd(n, operations int) int {
	const budget = 20 * time.Second
	if each := t.subject.op * time.Duration(operations); each > 0 {
		n = min(n, max(4, int(budget/each)))
	}
	return n
}
