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
		for _, watched := range []string{"asked", "waited for", "waited for by a child"} {
			t.Run(name+", "+watched, func(t *testing.T) {
				t.Parallel()
				c := tc.end(t)
				var ctx context.Context = c
				switch watched {
				case "asked":
					for end := time.Now().Add(time.Minute); c.Err() == nil && time.Now().Before(end); {
						time.Sleep(time.Millisecond)
					}
				case "waited for by a child":
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

func TestEndsWhoWaits(t *testing.T) {
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

func TestLate(t *testing.T) {
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

// Contexts whose deadlines are close share an end, which is at most a little later; nothing of it
// is left afterwards.
func TestLateIsShared(t *testing.T) { // alone, since it looks at what all share
	for _, timeout := range []time.Duration{10 * time.Millisecond, time.Second, 5 * time.Second,
		time.Hour} {
		most := max(timeout/32, time.Millisecond)
		now := time.Now().Add(time.Hour) // so that none is over before it is asked
		shared := make(map[<-chan struct{}]bool)
		for i := range 1000 {
			deadline := now.Add(time.Duration(i) * most / 1000)
			shared[after(deadline, timeout)] = true
			if e := last.Load().at - deadline.Sub(epoch); e <= 0 || e > most {
				t.Fatalf("%v: ends %v after the deadline, want %v at most", timeout, e, most)
			}
		}
		if len(shared) < 2 || len(shared) > 3 {
			t.Errorf("%v: %d ends in %v", timeout, len(shared), most)
		}
	}
	var latest *Coarse
	for i := range 50 {
		latest = begin(background, time.Duration(i)*time.Millisecond).Coarse()
		_ = latest.Done()
	}
	at, _ := latest.Deadline()
	begin(background, time.Minute).Coarse().Done() // so that it is not the one that was asked for last
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

// Nobody has to wait for one whose deadline has passed, though the end that it shares is yet to
// come.
func TestLateIsOverAtOnce(t *testing.T) {
	t.Parallel()
	c := begin(background, time.Hour)
	l := c.Coarse()
	waiting := l.Done()
	c.deadline = time.Now()
	select {
	case <-l.Done():
	default:
		t.Error("it goes on")
	}
	select {
	case <-waiting:
		t.Error("the shared end came early")
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
		t.Error("a negative time-out is not over")
	}
}

// A parent's deadline bounds what is left, also if somebody sets the wall clock, by which it may
// have been made.
func TestNearerParent(t *testing.T) {
	t.Parallel()
	// without a monotonic reading
	parent := stale{background, time.Now().Add(50 * time.Millisecond).Round(0)}
	c := begin(parent, time.Hour)
	if c.timeout > 50*time.Millisecond {
		t.Errorf("the time-out is %v", c.timeout)
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

func TestCostsNothing(t *testing.T) {
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
		t.Errorf("%v allocations", n)
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	c := begin(background, time.Hour)
	if c.Scratch() == nil {
		t.Error("the first call got nothing")
	}
	if c.Scratch() != nil {
		t.Error("the second call got what the first has")
	}
}

// A Context in a Context ends with what is above both, and costs the outer one nothing.
func TestAbove(t *testing.T) {
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
	if done, ok := begin(begin(context.WithoutCancel(parent), time.Hour), time.Minute).ParentDone(); !ok ||
		done != nil {
		t.Errorf("got %v, want nothing that ends it before its deadline", ok)
	}
	ended := outer.Done()
	if done, ok := begin(outer, time.Minute).ParentDone(); !ok || done != ended {
		t.Errorf("got %v, want the Done of the one outside, for which somebody waits", ok)
	}
	if _, ok := outer.ParentDone(); ok {
		t.Error("there is a timer, but it is not told")
	}
	short := begin(begin(background, time.Millisecond), time.Hour)
	<-short.Done()
	if err := short.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want that of the outer deadline", err)
	}
}

// stale is a context whose deadline has passed, but whose timer has not noticed yet.
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
	timeOut := fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded})
	other := errors.New("refused")
	for _, tc := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{cancelled, timeOut, context.Canceled},
		{cancelled, other, context.Canceled},
		{past, timeOut, context.DeadlineExceeded},
		{past, other, nil},
		{future, timeOut, nil},
		{background, timeOut, nil},
	} {
		if got := Ended(tc.ctx, tc.err); !errors.Is(got, tc.want) {
			t.Errorf("%v: got %v, want %v", tc.err, got, tc.want)
		}
	}
}
