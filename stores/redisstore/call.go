package redisstore

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
)

// call is what is under way on a goroutine of its own, so that whoever waits for it can leave when
// the context ends. Calls that came to their end are used again.
type call struct {
	// What is to be done: a command, or else f.
	client redis.UniversalClient
	ctx    context.Context
	cmd    redis.Cmder
	f      func() error

	err      error
	panicked any // a hook's, which the program may survive on the goroutine that called

	run   func()        // the method do, made a value once
	ended chan struct{} // takes one, so that the goroutine never waits
	timer *time.Timer   // of the deadline
}

var calls = sync.Pool{New: func() any {
	c := &call{ended: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	c.timer.Stop()
	c.run = c.do
	return c
}}

// errNotReturned is the error of a call whose goroutine a hook has ended.
var errNotReturned = errors.New("the client did not return")

func (c *call) do() {
	c.err = errNotReturned
	defer func() {
		c.panicked = recover()
		c.ended <- struct{}{}
	}()
	if c.f != nil {
		c.err = c.f()
	} else {
		c.err = c.client.Process(c.ctx, c.cmd)
	}
}

// wait starts the call, and returns its error, or that of ctx if done is closed first, or the
// deadline, if there is one, comes first; the call then goes on alone.
func (c *call) wait(ctx context.Context, done <-chan struct{}, deadline time.Time) error {
	go c.run()
	var late <-chan time.Time
	if !deadline.IsZero() {
		c.timer.Reset(time.Until(deadline))
		late = c.timer.C
	}
	select {
	case <-c.ended:
	case <-done:
		return c.leave(ctx)
	case <-late:
		return c.leave(ctx)
	}
	c.timer.Stop()
	err, panicked := c.err, c.panicked
	*c = call{run: c.run, ended: c.ended, timer: c.timer}
	calls.Put(c)
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// leave returns why nobody waits any more, and ends what the call was given, if it is a watched
// one.
func (c *call) leave(ctx context.Context) error {
	why := ctx.Err()
	if why == nil {
		why = context.DeadlineExceeded
	}
	if w, ok := c.ctx.(*watched); ok {
		w.why = why
		close(w.gone)
	}
	return why
}

// watched is the context of a call whose caller sees to its end: a timer of its own would cost more
// than all the rest of the waiting.
type watched struct {
	*bound.Context
	gone chan struct{}
	why  error // once gone is closed
}

func (w *watched) Done() <-chan struct{} { return w.gone }

func (w *watched) Err() error {
	select {
	case <-w.gone:
		return w.why
	default:
		return nil
	}
}

// process sends a command and returns its error when the answer is there or the context has ended.
// In the second case the command must not be looked at any more.
//
// In a context of the portable store, a client that ends with the deadline is waited for on the
// spot, which is the fastest. It does not see that the request has ended, and goes on until the
// answer or the deadline.
func (s *sessions) process(ctx context.Context, cmd redis.Cmder) error {
	if b, ok := ctx.(*bound.Context); ok && s.punctual {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.client.Process(b.Coarse(), cmd)
	}
	return s.call(ctx, cmd, nil)
}

// await calls f and returns its error, or that of the context if it ends first; f then goes on
// alone.
func (s *sessions) await(ctx context.Context, f func() error) error { return s.call(ctx, nil, f) }

func (s *sessions) call(ctx context.Context, cmd redis.Cmder, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inner, done, deadline := ctx, (<-chan struct{})(nil), time.Time{}
	b, ok := ctx.(*bound.Context)
	if ok {
		done, ok = b.ParentDone()
	}
	if ok {
		deadline, _ = b.Deadline()
		inner = &watched{Context: b, gone: make(chan struct{})}
	} else if done = ctx.Done(); done == nil {
		if f != nil {
			return f()
		}
		return s.client.Process(ctx, cmd)
	}
	c := calls.Get().(*call)
	c.client, c.ctx, c.cmd, c.f = s.client, inner, cmd, f
	return c.wait(ctx, done, deadline)
}

// isPunctual reports whether a client ends its work at the deadline of a context by itself.
func isPunctual(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case interface{ Options() *redis.Options }:
		o := c.Options()
		return o.ContextTimeoutEnabled && o.ReadTimeout >= 0 && o.WriteTimeout >= 0
	case interface{ Options() *redis.ClusterOptions }:
		o := c.Options()
		// with settings of their own
		ownClients := reflect.ValueOf(o.NewClient).Pointer() != reflect.ValueOf(redis.NewClient).Pointer()
		return o.ContextTimeoutEnabled && o.ReadTimeout >= 0 && o.WriteTimeout >= 0 && !ownClients
	}
	return false
}
