package redisstore

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
)

// task is a client call on a goroutine of its own, so that its caller can return when the context
// ends. Tasks that have finished are reused, which saves six allocations of a request that reads a
// session.
type task struct {
	// The call: the command cmd, or f if that is set.
	client redis.UniversalClient
	ctx    context.Context
	cmd    redis.Cmder
	f      func(context.Context) error

	err      error
	panicked any // the value of a panic, for example in a hook

	do       func()        // the method execute, made once: saves one allocation of each task
	finished chan struct{} // has room for one value, so that the goroutine never blocks
	timer    *time.Timer   // fires at the deadline
}

var tasks = sync.Pool{New: func() any {
	t := &task{finished: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	t.timer.Stop()
	t.do = t.execute
	return t
}}

// errNotReturned is the error of a task whose goroutine ended without a return: a hook called
// runtime.Goexit.
var errNotReturned = errors.New("the client did not return")

func (t *task) execute() {
	t.err = errNotReturned
	defer func() {
		t.panicked = recover()
		t.finished <- struct{}{}
	}()
	if t.f != nil {
		t.err = t.f(t.ctx)
	} else {
		t.err = t.client.Process(t.ctx, t.cmd)
	}
}

// run starts the task and waits until it finishes, done is closed, or the deadline passes. The
// deadline may be zero. In the first case run returns the task's error. Otherwise it returns the
// context's error, and the task continues in the background.
//
// A panic of the task continues on the caller's goroutine, where the program may recover from it.
func (t *task) run(ctx context.Context, done <-chan struct{}, deadline time.Time) error {
	go t.do()
	var expired <-chan time.Time
	if !deadline.IsZero() {
		t.timer.Reset(time.Until(deadline))
		expired = t.timer.C
	}
	select {
	case <-t.finished:
	case <-done:
		return t.abandon(ctx)
	case <-expired:
		return t.abandon(ctx)
	}
	t.timer.Stop()
	err, panicked := t.err, t.panicked
	*t = task{do: t.do, finished: t.finished, timer: t.timer}
	tasks.Put(t)
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// abandon returns the context's error, and ends the context of the task if that is a taskContext.
func (t *task) abandon(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = context.DeadlineExceeded
	}
	if c, ok := t.ctx.(*taskContext); ok {
		c.err = err
		close(c.done)
	}
	return err
}

// taskContext is the context of a task under a bound.Context. It ends when the caller abandons the
// task. A timer of its own would cost more than the rest of the waiting.
type taskContext struct {
	*bound.Context
	done chan struct{}
	err  error // set before done is closed
}

func (c *taskContext) Done() <-chan struct{} { return c.done }

func (c *taskContext) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// process sends a command. It returns the command's error, or the context's error if the context
// ends before the answer arrives. In the second case the caller must not use the command any more.
func (s *sessions) process(ctx context.Context, cmd redis.Cmder) error {
	return s.call(ctx, cmd, nil)
}

// await calls f with a context for the client. It returns the error of f, or the context's error if
// the context ends before f returns. In the second case f continues in the background.
func (s *sessions) await(ctx context.Context, f func(context.Context) error) error {
	return s.call(ctx, nil, f)
}

// exec sends commands in one round trip, each of them to the server that holds its key. Each
// command then has an error of its own, which exec does not return. It returns the error of an
// attempt that reached no command, and like process the context's error.
func (s *sessions) exec(ctx context.Context, cmds ...redis.Cmder) error {
	pipe := s.client.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, cmd) // only adds it
	}
	return s.await(ctx, func(ctx context.Context) error {
		_, err := pipe.Exec(ctx)
		own := func(cmd redis.Cmder) bool { return cmd.Err() != nil }
		if slices.ContainsFunc(cmds, own) {
			err = nil
		}
		return err
	})
}

// call runs f, or cmd if f is nil. It needs no task if ctx cannot end.
//
// Under a bound.Context, a client that keeps deadlines is called directly, without a task, because
// that is fastest. Such a call does not end when the request is cancelled, only with the answer or
// at the deadline.
func (s *sessions) call(
	ctx context.Context, cmd redis.Cmder, f func(context.Context) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inner, done, deadline := ctx, (<-chan struct{})(nil), time.Time{}
	b, ok := ctx.(*bound.Context)
	if ok && s.keepsDeadlines {
		return s.direct(b.Coarse(), cmd, f)
	}
	if ok {
		done, ok = b.ParentDone()
	}
	if ok {
		deadline, _ = b.Deadline()
		inner = &taskContext{Context: b, done: make(chan struct{})}
	} else if done = ctx.Done(); done == nil {
		return s.direct(ctx, cmd, f)
	}
	t := tasks.Get().(*task)
	t.client, t.ctx, t.cmd, t.f = s.client, inner, cmd, f
	return t.run(ctx, done, deadline)
}

// direct is call on the caller's goroutine.
func (s *sessions) direct(
	ctx context.Context, cmd redis.Cmder, f func(context.Context) error,
) error {
	if f != nil {
		return f(ctx)
	}
	return s.client.Process(ctx, cmd)
}

// keepsDeadlines reports whether the client itself returns at the deadline of a context.
func keepsDeadlines(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case interface{ Options() *redis.Options }:
		o := c.Options()
		return o.ContextTimeoutEnabled && o.ReadTimeout >= 0 && o.WriteTimeout >= 0
	case interface{ Options() *redis.ClusterOptions }:
		o := c.Options()
		// A NewClient of the application may change the settings of each node's client.
		custom := reflect.ValueOf(o.NewClient).Pointer() != reflect.ValueOf(redis.NewClient).Pointer()
		return o.ContextTimeoutEnabled && o.ReadTimeout >= 0 && o.WriteTimeout >= 0 && !custom
	}
	return false
}
