package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/testenv"
)

// bounded is a context as the portable store makes them.
func bounded(parent context.Context, d time.Duration) *bound.Context {
	ctx := new(bound.Context)
	ctx.Begin(parent, d)
	return ctx
}

// A driver over this one may do more with the context of an operation: it still ends in time.
func TestContextLivesOn(t *testing.T) {
	t.Parallel()
	s := newSessions(t, singleClient(t), testenv.Name(t))
	save(t, s, record("a", 1, time.Hour))
	for name, op := range operations(s) {
		parent, cancel := context.WithCancel(background)
		ctx := bounded(parent, time.Hour)
		_ = op(ctx)
		cancel()
		<-ctx.Done()
		if err := ctx.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after the parent's end: %v", name, err)
		}

		ctx = bounded(background, 50*time.Millisecond)
		_ = op(ctx)
		<-ctx.Done()
		if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: after the deadline: %v", name, err)
		}
	}
}

// Nor do two operations in one context get in each other's way.
func TestContextIsShared(t *testing.T) {
	t.Parallel()
	s := newSessions(t, singleClient(t), testenv.Name(t))
	const n = 8
	for i := range n {
		save(t, s, record(fmt.Sprint(i), int64(i+1), time.Hour))
	}
	for range 50 {
		parent, cancel := context.WithCancel(background)
		ctx := bounded(parent, time.Hour)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				rec, err := s.Load(ctx, fmt.Sprint(i))
				if err != nil || rec.Version != int64(i+1) {
					t.Errorf("load %d: version %d, %v", i, rec.Version, err)
				}
			})
		}
		all.Wait()
		ctx.End()
		cancel()
	}
}

// In the context of the portable store too, every operation ends at the deadline while the server
// hangs, and so it does in a hook that waits for the context; if the client does not keep deadlines
// itself, also when the request ends.
func TestBoundContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, punctual := range map[string]bool{"client that keeps deadlines": true,
		"default client": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, testenv.Redis(t))
			client := func(addr string) *redis.Client {
				c := redis.NewClient(&redis.Options{
					Addr: addr, ContextTimeoutEnabled: punctual, ReadTimeout: longer, PoolSize: 40,
				})
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			hanging := newSessions(t, client(proxy.Addr()), testenv.Name(t))
			save(t, hanging, record("a", 1, time.Hour))
			proxy.Hang()
			waits := client(testenv.Redis(t))
			waits.AddHook(waiting{})
			for _, s := range []*sessions{hanging, newSessions(t, waits, testenv.Name(t))} {
				for op, f := range operations(s) {
					begin := time.Now()
					want(t, op, f(bounded(background, 50*time.Millisecond)), context.DeadlineExceeded)
					if took := time.Since(begin); took < 40*time.Millisecond || took > longer/10 {
						t.Errorf("%s: returned after %v, with 50ms to go", op, took)
					}
				}
			}
			timeout := longer
			if punctual {
				timeout = 50 * time.Millisecond
			}
			for op, f := range operations(hanging) {
				for inTime := false; !inTime; { // else the deadline came first
					parent, cancel := context.WithCancel(background)
					ended := make(chan time.Time, 1)
					time.AfterFunc(20*time.Millisecond, func() { cancel(); ended <- time.Now() })
					begin := time.Now()
					err := f(bounded(parent, timeout))
					took := time.Since(begin)
					if inTime = (<-ended).Sub(begin) < timeout; !inTime {
						continue
					}
					want(t, op, err, context.Canceled)
					if took > longer/10 {
						t.Errorf("%s: returned after %v, though the request had ended", op, took)
					}
				}
			}
		})
	}
}

// A server that answers everything but one key: whoever asks for that takes one connection with
// them, and no more.
func TestTimeOutCostsOneConnection(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.Redis(t))
	const size = 8
	c := redis.NewClient(&redis.Options{Addr: proxy.Addr(), ContextTimeoutEnabled: true,
		PoolSize: size, MinIdleConns: size})
	t.Cleanup(func() { _ = c.Close() })
	s := newSessions(t, c, testenv.Name(t))
	var conns []*redis.Conn
	for range size {
		conn := c.Conn()
		if err := conn.Ping(background).Err(); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		want(t, "close", conn.Close(), nil)
	}
	proxy.Hang()
	before := c.PoolStats().StaleConns
	for range 3 {
		_, err := s.Load(bounded(background, time.Second), "a")
		want(t, "load", err, context.DeadlineExceeded)
	}
	if n := c.PoolStats().StaleConns - before; n != 3 {
		t.Errorf("three time-outs cost %d connections", n)
	}
}

// A hook may put its own words around an error, and the key in them.
func TestWrappedTimeOut(t *testing.T) {
	t.Parallel()
	for name, punctual := range map[string]bool{"client that keeps deadlines": true,
		"default client": false} {
		c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t), ContextTimeoutEnabled: punctual})
		t.Cleanup(func() { _ = c.Close() })
		c.AddHook(quoting{})
		s := newSessions(t, c, testenv.Name(t))
		for op, f := range operations(s) {
			err := f(bounded(background, 20*time.Millisecond))
			want(t, name+": "+op, err, context.DeadlineExceeded)
			if err != nil && strings.Contains(err.Error(), s.prefix) &&
				!strings.Contains(err.Error(), s.prefix+"…") {
				t.Errorf("%s: %s: got error %q", name, op, err)
			}
		}
	}
}

// quoting is a hook that waits, and says for which key.
type quoting struct{ nop }

func (quoting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		<-ctx.Done()
		return fmt.Errorf("%v: %w", cmd.Args(), ctx.Err())
	}
}

// waiting is a hook that lets nothing pass.
type waiting struct{ nop }

func (waiting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, _ redis.Cmder) error { <-ctx.Done(); return ctx.Err() }
}

func TestPunctualClients(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		client redis.UniversalClient
		want   bool
	}{
		"default": {redis.NewClient(&redis.Options{}), false},
		"with deadlines": {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}),
			true},
		"without time-outs": {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true,
			ReadTimeout: -1, WriteTimeout: -1}), true},
		"that sets no deadline": {redis.NewClient(&redis.Options{ContextTimeoutEnabled: true,
			ReadTimeout: -2}), false},
		"cluster": {redis.NewClusterClient(&redis.ClusterOptions{}), false},
		"cluster with deadlines": {redis.NewClusterClient(
			&redis.ClusterOptions{ContextTimeoutEnabled: true}), true},
		"cluster that sets none": {redis.NewClusterClient(
			&redis.ClusterOptions{ContextTimeoutEnabled: true, WriteTimeout: -2}), false},
		"cluster with others' clients": {redis.NewClusterClient(
			&redis.ClusterOptions{ContextTimeoutEnabled: true, NewClient: hasty}), false},
		"sentinel with deadlines": {redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m",
			ContextTimeoutEnabled: true}), true},
		"wrapped": {struct{ *redis.Client }{redis.NewClient(
			&redis.Options{ContextTimeoutEnabled: true})}, true},
		"of whose options we don't know": {struct{ redis.UniversalClient }{redis.NewClient(
			&redis.Options{ContextTimeoutEnabled: true})}, false},
	} {
		if got := isPunctual(tc.client); got != tc.want {
			t.Errorf("client %s: got %v", name, got)
		}
		_ = tc.client.Close()
	}
}

// hasty makes the clients of a Cluster with settings of its own.
func hasty(o *redis.Options) *redis.Client {
	o.ContextTimeoutEnabled = false
	return redis.NewClient(o)
}

// ender is a hook that ends the goroutine it runs on, as a failed test does.
type ender struct{ nop }

type nop struct{}

func (nop) DialHook(next redis.DialHook) redis.DialHook {
	return next
}
func (nop) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return next
}
func (nop) ProcessPipelineHook(n redis.ProcessPipelineHook) redis.ProcessPipelineHook { return n }

func (ender) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { runtime.Goexit(); return nil }
}

func TestHookThatEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	t.Cleanup(func() { _ = c.Close() })
	c.AddHook(ender{})
	s := newSessions(t, c, testenv.Name(t))
	ctx := bounded(background, time.Hour)
	for name, op := range operations(s) {
		if err := op(ctx); !errors.Is(err, errNotReturned) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
