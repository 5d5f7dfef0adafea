package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
	"github.com/scskit/scskit/internal/testenv"
)

// bounded returns a context such as scskit.Store passes to a driver.
func bounded(parent context.Context, d time.Duration) *bound.Context {
	ctx := new(bound.Context)
	ctx.Begin(parent, d)
	return ctx
}

// The context still ends in time after an operation, because a decorator may use it further.
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
			t.Errorf("%s: after the parent has ended: got error %v", name, err)
		}

		ctx = bounded(background, 50*time.Millisecond)
		_ = op(ctx)
		<-ctx.Done()
		if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: after the deadline: got error %v", name, err)
		}
	}
}

// Concurrent operations may share a context.
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
					t.Errorf("load %d: got version %d, %v, want %d", i, rec.Version, err, i+1)
				}
			})
		}
		all.Wait()
		ctx.End()
		cancel()
	}
}

// Under a bound.Context, every operation ends at the deadline while the server hangs or a hook
// waits for the context. If the client does not keep deadlines, it also ends when the request is
// cancelled.
func TestBoundContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, keeps := range deadlineClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := testenv.NewProxy(t, testenv.Redis(t))
			client := func(addr string) *redis.Client {
				c := redis.NewClient(&redis.Options{
					Addr: addr, ContextTimeoutEnabled: keeps, ReadTimeout: longer, PoolSize: 40,
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
				ops := operations(s)
				maps.Copy(ops, usersOperations(s))
				for op, f := range ops {
					begin := time.Now()
					want(t, op, f(bounded(background, 50*time.Millisecond)), context.DeadlineExceeded)
					if took := time.Since(begin); took < 40*time.Millisecond || took > longer/10 {
						t.Errorf("%s: returned after %v, want 50ms", op, took)
					}
				}
			}
			timeout := longer
			if keeps {
				timeout = 50 * time.Millisecond
			}
			ops := operations(hanging)
			maps.Copy(ops, usersOperations(hanging))
			for op, f := range ops {
				for inTime := false; !inTime; { // try again if the deadline came first
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
						t.Errorf("%s: returned after %v, want 20ms", op, took)
					}
				}
			}
		})
	}
}

// deadlineClients says for each client whether it keeps deadlines.
var deadlineClients = map[string]bool{"client that keeps deadlines": true, "default client": false}

// A load that times out closes only its own connection.
func TestTimeOutCostsOneConnection(t *testing.T) {
	t.Parallel()
	proxy := testenv.NewProxy(t, testenv.Redis(t))
	const size = 8
	c := redis.NewClient(&redis.Options{
		Addr: proxy.Addr(), ContextTimeoutEnabled: true, PoolSize: size, MinIdleConns: size,
	})
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
		t.Errorf("three timeouts closed %d connections", n)
	}
}

// A hook may wrap an error in a text that quotes the key.
func TestWrappedTimeOut(t *testing.T) {
	t.Parallel()
	for name, keeps := range deadlineClients {
		c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t), ContextTimeoutEnabled: keeps})
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

// quoting is a hook that waits until the context ends and returns an error with the command's
// arguments.
type quoting struct{ nop }

func (quoting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		<-ctx.Done()
		return fmt.Errorf("%v: %w", cmd.Args(), ctx.Err())
	}
}

// waiting is a hook that waits until the context ends, and sends nothing.
type waiting struct{ nop }

func (waiting) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, _ []redis.Cmder) error {
		<-ctx.Done()
		return ctx.Err()
	}
}

func (waiting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, _ redis.Cmder) error {
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestKeepsDeadlines(t *testing.T) {
	t.Parallel()
	single := func(o redis.Options) redis.UniversalClient { return redis.NewClient(&o) }
	cluster := func(o redis.ClusterOptions) redis.UniversalClient { return redis.NewClusterClient(&o) }
	enabled := redis.Options{ContextTimeoutEnabled: true}
	for name, tc := range map[string]struct {
		client redis.UniversalClient
		want   bool
	}{
		"default":         {single(redis.Options{}), false},
		"enabled":         {single(enabled), true},
		"wrapped":         {struct{ *redis.Client }{redis.NewClient(&enabled)}, true},
		"without Options": {struct{ redis.UniversalClient }{single(enabled)}, false},
		"without timeouts": {
			single(redis.Options{ContextTimeoutEnabled: true, ReadTimeout: -1, WriteTimeout: -1}), true,
		},
		"no read deadline": {
			single(redis.Options{ContextTimeoutEnabled: true, ReadTimeout: -2}), false,
		},
		"cluster, default": {cluster(redis.ClusterOptions{}), false},
		"cluster, enabled": {cluster(redis.ClusterOptions{ContextTimeoutEnabled: true}), true},
		"cluster, no write deadline": {
			cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, WriteTimeout: -2}), false,
		},
		"cluster, custom clients": {
			cluster(redis.ClusterOptions{ContextTimeoutEnabled: true, NewClient: newClient}), false,
		},
		"sentinel, enabled": {
			redis.NewFailoverClient(
				&redis.FailoverOptions{MasterName: "m", ContextTimeoutEnabled: true}), true,
		},
	} {
		if got := keepsDeadlines(tc.client); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
		_ = tc.client.Close()
	}
}

// newClient is a ClusterOptions.NewClient that changes a setting.
func newClient(o *redis.Options) *redis.Client {
	o.ContextTimeoutEnabled = false
	return redis.NewClient(o)
}

// exiting is a hook that ends its goroutine, as t.FailNow does.
type exiting struct{ nop }

func (exiting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error {
		runtime.Goexit()
		return nil
	}
}

// nop is a hook that changes nothing, for embedding.
type nop struct{}

func (nop) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (nop) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (nop) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestHookThatEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	c := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	t.Cleanup(func() { _ = c.Close() })
	c.AddHook(exiting{})
	s := newSessions(t, c, testenv.Name(t))
	ctx := bounded(background, time.Hour)
	for name, op := range operations(s) {
		if err := op(ctx); !errors.Is(err, errNotReturned) {
			t.Errorf("%s: got error %v, want %v", name, err, errNotReturned)
		}
	}
}
