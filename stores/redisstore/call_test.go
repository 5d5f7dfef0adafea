package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	ctx.Begin(parent, time.Now().Add(d))
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
		ctx := bounded(parent, time.Minute)
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

// ender is a hook that ends the goroutine it runs on, as a failed test does.
type ender struct{ nop }

type nop struct{}

func (nop) DialHook(next redis.DialHook) redis.DialHook                               { return next }
func (nop) ProcessHook(next redis.ProcessHook) redis.ProcessHook                      { return next }
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
	ctx := bounded(background, time.Minute)
	for name, op := range operations(s) {
		if err := op(ctx); !errors.Is(err, errNotReturned) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
