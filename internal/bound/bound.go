// Package bound bounds the operations on a backend in time, at no cost until somebody waits for the
// end.
package bound

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Context is a context with a deadline, as context.WithDeadline makes one, but without a timer, a
// channel and a place in the parent's list of children until Done is called: many operations are
// over before anybody has. It must not be copied.
type Context struct {
	parent   context.Context
	deadline time.Time
	timeout  time.Duration

	mu     sync.Mutex
	ended  bool
	full   context.Context // once Done was called
	cancel context.CancelFunc

	room  Scratch
	taken bool // Scratch was called
}

// Scratch is memory for whoever carries an operation out.
type Scratch struct {
	Args [2]any
	Key  [96]byte
}

// Begin makes c a context that ends with its parent, after a time, or by End. c must be a zero
// value.
func (c *Context) Begin(parent context.Context, timeout time.Duration) {
	now := time.Now()
	timeout = min(timeout, ages)
	if d, ok := parent.Deadline(); ok {
		timeout = min(timeout, d.Sub(now))
	}
	c.parent, c.timeout, c.deadline = parent, timeout, now.Add(timeout)
}

// ages is longer than any operation takes, and short enough to be added to any time.
const ages = 100 * 365 * 24 * time.Hour

// End ends the context: the operation is over.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

// Scratch returns memory that lives as long as c. Only the first call gets it, the others nil: what
// one operation was given may still be in use when a caller that has not waited for its end begins
// another.
func (c *Context) Scratch() *Scratch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return nil
	}
	c.taken = true
	return &c.room
}

// ParentDone is for a caller that looks at the deadline itself, without a timer of c. It returns what
// ends c besides: the parent's Done, which may be nil. ok is false if somebody waits for c already,
// so that there is a timer.
func (c *Context) ParentDone() (done <-chan struct{}, ok bool) {
	c.mu.Lock()
	waited := c.full != nil
	c.mu.Unlock()
	if waited {
		return nil, false
	}
	if p, isBound := c.parent.(*Context); isBound { // its deadline is no sooner
		if done, ok := p.ParentDone(); ok {
			return done, true
		}
	}
	return c.parent.Done(), true
}

// Ended returns why the context of an operation that failed with err has ended, or nil if it has
// not. A time-out counts as that of the deadline once this has passed: clients watch it themselves,
// and their timers may be faster than the context's.
func Ended(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	deadline, ok := ctx.Deadline()
	var e net.Error
	if ok && !time.Now().Before(deadline) && errors.As(err, &e) && e.Timeout() {
		return context.DeadlineExceeded
	}
	return nil
}

// Coarse is the same context for a callee that looks at the deadline itself: it ends at the deadline,
// and for no other reason. Whoever waits for that hears of it up to a millisecond later, or up to a
// 32nd of the time there was; whoever asks is told at once. It costs no timer of its own.
type Coarse Context

// Coarse returns the context that ends a little later.
func (c *Context) Coarse() *Coarse { return (*Coarse)(c) }

// Deadline implements context.Context.
func (l *Coarse) Deadline() (time.Time, bool) { return l.deadline, true }

// Done implements context.Context.
func (l *Coarse) Done() <-chan struct{} {
	if !time.Now().Before(l.deadline) {
		return over
	}
	return after(l.deadline, l.timeout)
}

// Err implements context.Context.
func (l *Coarse) Err() error {
	if !time.Now().Before(l.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context.
func (l *Coarse) Value(key any) any { return l.parent.Value(key) }

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full == nil {
		c.full, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.full.Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.full != nil:
		return c.full.Err()
	case c.parent.Err() != nil:
		return c.parent.Err()
	case c.ended:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Package context asks for what is behind Done in this way.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	full := c.full
	c.mu.Unlock()
	if full != nil {
		return full.Value(key)
	}
	return c.parent.Value(key)
}
