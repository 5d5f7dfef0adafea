package redisstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/testenv"
)

// TestNoConnectionFree: the application holds every connection of the pool. The error says so, and
// what to do.
func TestNoConnectionFree(t *testing.T) {
	t.Parallel()
	const want = "in use elsewhere: raise PoolSize"
	for name, tc := range map[string]struct {
		punctual bool
		patience time.Duration // of the pool
		cause    error
	}{
		"the deadline is first":             {true, time.Minute, context.DeadlineExceeded},
		"the deadline is first, by a timer": {false, time.Minute, context.DeadlineExceeded},
		"the pool is first":                 {true, time.Millisecond, redis.ErrPoolTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := 20 * time.Millisecond
			if tc.cause == redis.ErrPoolTimeout { //nolint:errorlint // the table's own
				timeout = 5 * time.Minute
			}
			client := redis.NewClient(&redis.Options{
				Addr: testenv.Redis(t), PoolSize: 1, PoolTimeout: tc.patience, MaxRetries: -1,
				ContextTimeoutEnabled: tc.punctual,
			})
			t.Cleanup(func() { _ = client.Close() })
			s := newSessions(t, client, testenv.Name(t)+":")
			save(t, s, record("a", 1, time.Hour))
			held := client.Conn()
			if err := held.Ping(background).Err(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(background, timeout)
			defer cancel()
			_, err := s.Load(ctx, "a")
			if !errors.Is(err, tc.cause) || !strings.Contains(err.Error(), want) {
				t.Errorf("got error %v", err)
			}
			if err := held.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load(background, "a"); err != nil {
				t.Errorf("with a connection free: %v", err)
			}
			ended, cancelEnded := context.WithTimeout(background, time.Nanosecond)
			defer cancelEnded()
			_, err = s.Load(ended, "a")
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "PoolSize") {
				t.Errorf("with a connection free, at the deadline: %v", err)
			}
		})
	}
}
