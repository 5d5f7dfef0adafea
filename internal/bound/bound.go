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
	full   context.Context // once Done was called
	cancel context.CancelFunc

	room  Room
	taken bool // Room was called
}

// Room is memory for whoever carries an operation out.
type Room struct {
	Args [2]any
	Key  [96]byte
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
}

// Room returns memory that lives as long as c. Only the first call gets it, the others nil: what one operation was
// given may still be in use when a caller that has not waited for its end begins another.
func (c *Context) Room() *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken {
		return nil
	}
	c.taken = true
	return &c.room
}

// Above is for a caller that looks at the deadline itself, without a timer of c. It returns what ends c besides: the
// parent's Done, which may be nil. ok is false if somebody waits for c already, so that there is a timer.
func (c *Context) Above() (done <-chan struct{}, ok bool) {
	c.mu.Lock()
	waited := c.full != nil
	c.mu.Unlock()
	if waited {
		return nil, false
	}
	if p, isBound := c.parent.(*Context); isBound { // its deadline is no sooner
		if done, ok := p.Above(); ok {
			return done, true
		}
	}
	return c.parent.Done(), true
}

// Unwatched is the same context for a callee that need not be told of the deadline, since its caller sees to that: it can be
// asked for the deadline, but its Done is what ends c besides.
type Unwatched Context

// Unwatched returns c for such a callee. If ok is false the callee must get c itself: somebody waits for it
// already, or nothing ends it but the deadline.
func (c *Context) Unwatched() (u *Unwatched, ok bool) {
	done, ok := c.Above()
	return (*Unwatched)(c), ok && done != nil
}

// Deadline implements context.Context.
func (u *Unwatched) Deadline() (time.Time, bool) { return u.deadline, true }

// Done implements context.Context.
func (u *Unwatched) Done() <-chan struct{} {
	if done, ok := (*Context)(u).Above(); ok {
		return done
	}
	return u.parent.Done()
}

// Err implements context.Context.
func (u *Unwatched) Err() error { return u.parent.Err() }

// Value implements context.Context.
func (u *Unwatched) Value(key any) any { return u.parent.Value(key) }

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
