package bound

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

type key struct{}

var background = context.WithValue(context.Background(), key{}, "value")

func begin(parent context.Context, d time.Duration) *Context {
	var c Context
	c.Begin(parent, d)
	return &c
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(t *testing.T) *Context
		want error
	}{
		"by its deadline": {func(*testing.T) *Context { return begin(background, time.Millisecond) },
			context.DeadlineExceeded},
		"by its parent's deadline": {func(t *testing.T) *Context {
			parent, cancel := context.WithTimeout(background, time.Millisecond)
			t.Cleanup(cancel)
			return begin(parent, time.Hour)
		}, context.DeadlineExceeded},
		"with its parent": {func(*testing.T) *Context {
			parent, cancel := context.WithCancel(background)
			cancel()
			return begin(parent, time.Hour)
		}, context.Canceled},
		"when the operation is over": {func(*testing.T) *Context {
			c := begin(background, time.Hour)
			c.End()
			return c
		}, context.Canceled},
	} {
		for _, how := range []string{"Err", "Done", "Done of a child"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				c := tc.end(t)
				var ctx context.Context = c
				switch how {
				case "Err":
					for end := time.Now().Add(time.Minute); c.Err() == nil && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
				case "Done of a child":
					child, cancel := context.WithCancel(c)
					defer cancel()
					ctx = child
					fallthrough
				default:
					select {
					case <-ctx.Done():
					case <-time.After(time.Minute):
					}
				}
				if !errors.Is(ctx.Err(), tc.want) {
					t.Errorf("got error %v, want %v", ctx.Err(), tc.want)
				}
			})
		}
	}
}

func TestEndReleasesWaiters(t *testing.T) {
	t.Parallel()
	c := begin(background, time.Hour)
	child, cancel := context.WithCancel(c)
	defer cancel()
	if c.Err() != nil || child.Err() != nil {
		t.Errorf("ended at once: %v, %v", c.Err(), child.Err())
	}
	c.End()
	<-c.Done()
	<-child.Done()
	if !errors.Is(child.Err(), context.Canceled) {
		t.Errorf("got error %v", child.Err())
	}
}

func TestDeadlineAndValue(t *testing.T) {
	t.Parallel()
	early, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	want, _ := early.Deadline()
	c := begin(early, time.Hour)
	for range 2 {
		if got, ok := c.Deadline(); !ok || !got.Equal(want) {
			t.Errorf("got deadline %v, want %v", got, want)
		}
		if c.Value(key{}) != "value" {
			t.Errorf("got value %v", c.Value(key{}))
		}
		c.Done()
	}
}

func TestCoarse(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(background)
	c := begin(parent, 30*time.Millisecond)
	l := c.Coarse()
	deadline, _ := c.Deadline()
	if got, ok := l.Deadline(); !ok || !got.Equal(deadline) {
		t.Errorf("got deadline %v, want %v", got, deadline)
	}
	cancel()
	if c.Err() == nil || l.Err() != nil || l.Value(key{}) != "value" {
		t.Errorf("got error %v, value %v", l.Err(), l.Value(key{}))
	}
	<-l.Done()
	if late := time.Since(deadline); late < 0 {
		t.Errorf("ended %v before its deadline", -late)
	}
	if !errors.Is(l.Err(), context.DeadlineExceeded) {
		t.Errorf("got error %v", l.Err())
	}
	if l := begin(background, -time.Second).Coarse(); !errors.Is(l.Err(), context.DeadlineExceeded) {
		t.Errorf("past its deadline: got error %v", l.Err())
	}
}

// TestCoarseEndsAreShared tests that contexts with close deadlines share a channel, that it is
// closed only a little late, and that it is then removed.
func TestCoarseEndsAreShared(t *testing.T) { // not parallel: it checks global state
	for _, timeout := range []time.Duration{10 * time.Millisecond, time.Second, 5 * time.Second,
		time.Hour} {
		most := max(timeout/32, time.Millisecond)
		now := time.Now().Add(time.Hour) // in the future during the whole test
		shared := make(map[<-chan struct{}]bool)
		for i := range 1000 {
			deadline := now.Add(time.Duration(i) * most / 1000)
			shared[after(deadline, timeout)] = true
			if e := last.Load().at - deadline.Sub(epoch); e <= 0 || e > most {
				t.Fatalf("%v: ends %v after the deadline, want %v at most", timeout, e, most)
			}
		}
		if len(shared) < 2 || len(shared) > 3 {
			t.Errorf("%v: %d channels within %v, want 2 or 3", timeout, len(shared), most)
		}
	}
	var latest *Coarse
	for i := range 50 {
		latest = begin(background, time.Duration(i)*time.Millisecond).Coarse()
		_ = latest.Done()
	}
	at, _ := latest.Deadline()
	begin(background, time.Minute).Coarse().Done() // replaces last
	left := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for e := range ends {
			if e <= at.Sub(epoch) {
				n++
			}
		}
		return n
	}
	for until := time.Now().Add(time.Minute); left() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d ends are still there", left())
		}
	}
}

// TestCoarseAfterDeadline tests that Done returns a closed channel after the deadline, although the
// shared channel is closed later.
func TestCoarseAfterDeadline(t *testing.T) {
	t.Parallel()
	c := begin(background, time.Hour)
	l := c.Coarse()
	waiting := l.Done()
	c.deadline = time.Now()
	select {
	case <-l.Done():
	default:
		t.Error("Done is open after the deadline")
	}
	select {
	case <-waiting:
		t.Error("the shared channel was closed early")
	default:
	}
	if !errors.Is(l.Err(), context.DeadlineExceeded) {
		t.Errorf("got error %v", l.Err())
	}
}

func TestExtremeTimeouts(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{math.MaxInt64, 290 * 365 * 24 * time.Hour} {
		c := begin(background, timeout)
		if c.Err() != nil || c.Coarse().Err() != nil {
			t.Errorf("%v: got errors %v, %v", timeout, c.Err(), c.Coarse().Err())
		}
	}
	c := begin(background, math.MinInt64)
	if c.Err() == nil || c.Coarse().Err() == nil {
		t.Error("a context with a negative timeout has not ended")
	}
}

// TestParentDeadline tests a parent that ends earlier. Its deadline has no monotonic reading, but
// that of the context must have one, so that setting the wall clock does not move it.
func TestParentDeadline(t *testing.T) {
	t.Parallel()
	parent := stale{background, time.Now().Add(50 * time.Millisecond).Round(0)} // not monotonic
	c := begin(parent, time.Hour)
	if c.timeout > 50*time.Millisecond {
		t.Errorf("timeout %v, want at most 50ms", c.timeout)
	}
	begun := time.Now()
	<-c.Coarse().Done()
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("ended after %v", took)
	}
	if !strings.Contains(c.deadline.String(), " m=") {
		t.Error("the deadline has no monotonic reading")
	}
}

func TestAllocations(t *testing.T) {
	parent, cancel := context.WithCancel(background)
	defer cancel()
	parent.Done()
	var c Context
	if n := testing.AllocsPerRun(100, func() {
		c = Context{}
		c.Begin(parent, time.Hour)
		_ = c.Err()
		_ = c.Coarse().Done()
		_ = c.Coarse().Err()
		c.End()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestScratch(t *testing.T) {
	t.Parallel()
	c := begin(background, time.Hour)
	if c.Scratch() == nil {
		t.Error("the first call returned nil")
	}
	if c.Scratch() != nil {
		t.Error("the second call did not return nil")
	}
}

// TestParentDone tests that a Context inside a Context returns the Done channel of their parent,
// and starts no timer in the outer one.
func TestParentDone(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(background)
	defer cancel()
	outer := begin(parent, time.Hour)
	if done, ok := begin(outer, time.Minute).ParentDone(); !ok || done != parent.Done() {
		t.Errorf("got %v, want the parent's Done", ok)
	}
	if outer.full != nil {
		t.Error("the outer context has a timer")
	}
	endless := begin(context.WithoutCancel(parent), time.Hour)
	if done, ok := begin(endless, time.Minute).ParentDone(); !ok || done != nil {
		t.Errorf("got %v, %v, want a nil channel", done, ok)
	}
	ended := outer.Done()
	if done, ok := begin(outer, time.Minute).ParentDone(); !ok || done != ended {
		t.Errorf("got %v, want the Done channel of the outer context, which has a timer", ok)
	}
	if _, ok := outer.ParentDone(); ok {
		t.Error("ok is true for a context that has a timer")
	}
	short := begin(begin(background, time.Millisecond), time.Hour)
	<-short.Done()
	if err := short.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want that of the outer deadline", err)
	}
}

// stale is a context that does not end at its deadline, like one whose timer has not fired yet.
type stale struct {
	context.Context
	deadline time.Time
}

func (s stale) Deadline() (time.Time, bool) { return s.deadline, true }

func TestEnded(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(background)
	cancel()
	past, future := stale{background, time.Now()}, stale{background, time.Now().Add(time.Hour)}
	timeout := fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded})
	other := errors.New("refused")
	for _, tc := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{cancelled, timeout, context.Canceled},
		{cancelled, other, context.Canceled},
		{past, timeout, context.DeadlineExceeded},
		{past, other, nil},
		{future, timeout, nil},
		{background, timeout, nil},
	} {
		if got := Ended(tc.ctx, tc.err); !errors.Is(got, tc.want) {
			t.Errorf("%v: got %v, want %v", tc.err, got, tc.want)
		}
	}
}
