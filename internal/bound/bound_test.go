package bound

import (
	"context"
	"errors"
	"testing"
	"time"
)

type key struct{}

var background = context.WithValue(context.Background(), key{}, "value")

func begin(parent context.Context, d time.Duration) *Context {
	var c Context
	c.Begin(parent, time.Now().Add(d))
	return &c
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(t *testing.T) *Context
		want error
	}{
		"by its deadline": {func(*testing.T) *Context { return begin(background, time.Millisecond) }, context.DeadlineExceeded},
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

func TestUnwatched(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(background)
	c := begin(parent, -time.Second)
	u, ok := c.Unwatched()
	if !ok {
		t.Fatal("must be watched, though nobody does")
	}
	deadline, _ := c.Deadline()
	if got, ok := u.Deadline(); !ok || !got.Equal(deadline) {
		t.Errorf("got deadline %v, want %v", got, deadline)
	}
	if u.Err() != nil || u.Value(key{}) != "value" {
		t.Errorf("got error %v, value %v", u.Err(), u.Value(key{}))
	}
	cancel()
	<-u.Done()
	if !errors.Is(u.Err(), context.Canceled) {
		t.Errorf("got error %v", u.Err())
	}
	if _, ok := begin(background, time.Hour).Unwatched(); ok {
		t.Error("need not be watched, though nothing else ends it")
	}
	c.Done()
	if _, ok := c.Unwatched(); ok {
		t.Error("need not be watched, though it is")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"parent": context.Canceled, "deadline": context.DeadlineExceeded, "end": context.Canceled} {
		parent, cancel := context.WithCancel(background)
		defer cancel()
		c := begin(parent, time.Hour)
		done, ok := c.Watch()
		if again, okAgain := c.Watch(); !ok || !okAgain || done != parent.Done() || again != done {
			t.Fatal("cannot be watched")
		}
		child, cancelChild := context.WithCancel(c)
		defer cancelChild()
		select {
		case <-c.Done():
			t.Error("ended at once")
		default:
		}
		switch name {
		case "parent":
			cancel()
			if c.Err() != nil {
				t.Errorf("got error %v, but Done is not closed", c.Err())
			}
			c.Leave()
		case "deadline":
			c.Leave()
		}
		c.End()
		<-c.Done()
		<-child.Done()
		if !errors.Is(c.Err(), want) || !errors.Is(child.Err(), want) {
			t.Errorf("%s: got errors %v and %v, want %v", name, c.Err(), child.Err(), want)
		}
	}
	timed := begin(background, time.Hour)
	timed.Done()
	if _, ok := timed.Watch(); ok {
		t.Error("can be watched, though it has a timer")
	}
}

func TestCostsNothing(t *testing.T) {
	parent, cancel := context.WithCancel(background)
	defer cancel()
	parent.Done()
	var c Context
	if n := testing.AllocsPerRun(100, func() {
		c = Context{}
		c.Begin(parent, time.Now().Add(time.Hour))
		_ = c.Err()
		u, _ := c.Unwatched()
		_ = u.Done()
		c.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
