// Package bound bounds the operations on a backend in time, at no cost until somebody waits for the end.
package bound

import (
	"context"
	"sync"
	"time"
)

// Context is a context with a deadline, as context.WithDeadline makes one, but without a timer, a channel and a place in
// the parent's list of children until Done is called: many operations are over before anybody has.
// It must not be copied.
type Context struct {
	parent   context.Context
	deadline time.Time

	mu     sync.Mutex
	ended  bool
	full   context.Context // once Done was called, unless Watch was called before
	cancel context.CancelFunc
	gone   chan struct{} // once Watch was called
	why    error         // it is closed

	// Room is memory for whoever carries the operation out, to be used once.
	Room struct {
		Args [2]any
		Key  [96]byte
	}
}

// Begin makes c a context that ends with its parent, at a deadline, or by End. c must be a zero value.
func (c *Context) Begin(parent context.Context, deadline time.Time) {
	if d, ok := parent.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c.parent, c.deadline = parent, deadline
}

// End ends the context: the operation is over.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
	c.leave(context.Canceled)
}

// Watch is for a caller that sees to the end of c in place of a timer: it waits for done and for the deadline, and
// when either comes calls Leave, before which c does not end. done is the parent's, and may be nil. ok is false if there is a timer
// already.
func (c *Context) Watch() (done <-chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full != nil {
		return nil, false
	}
	if c.gone == nil {
		c.gone = make(chan struct{})
		if c.ended {
			c.leave(context.Canceled)
		}
	}
	return c.parent.Done(), true
}

// Leave ends c, if Watch was called: with the parent's error, or because of the deadline.
func (c *Context) Leave() {
	why := c.parent.Err()
	if why == nil {
		why = context.DeadlineExceeded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(why)
}

func (c *Context) leave(why error) {
	if c.gone != nil && c.why == nil {
		c.why = why
		close(c.gone)
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone != nil {
		return c.gone
	}
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
	case c.gone != nil:
		return c.why
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

// Unwatched is the same context for a callee that need not be told of the deadline, since its caller sees to that: it can be
// asked for the deadline, but its Done is the parent's.
type Unwatched Context

// Unwatched returns c for such a callee. If ok is false, c must be watched as any other: it is so already, or
// there is no parent that ends.
func (c *Context) Unwatched() (u *Unwatched, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (*Unwatched)(c), c.full == nil && c.parent.Done() != nil
}

// Deadline implements context.Context.
func (u *Unwatched) Deadline() (time.Time, bool) { return u.deadline, true }

// Done implements context.Context.
func (u *Unwatched) Done() <-chan struct{} { return u.parent.Done() }

// Err implements context.Context.
func (u *Unwatched) Err() error { return u.parent.Err() }

// Value implements context.Context.
func (u *Unwatched) Value(key any) any { return u.parent.Value(key) }
