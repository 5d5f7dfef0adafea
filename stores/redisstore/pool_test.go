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

// If the application holds every connection of the pool, the error says so and what to do.
func TestNoConnectionFree(t *testing.T) {
	t.Parallel()
	const (
		poolSize = "are in use elsewhere: raise PoolSize"
		active   = "MaxActiveConns allows are in use elsewhere: raise it"

		short = 20 * time.Millisecond
		long  = 5 * time.Minute
	)
	for name, tc := range map[string]struct {
		opts    redis.Options
		timeout time.Duration
		cause   error
		want    string
	}{
		"deadline first": {
			redis.Options{PoolSize: 1, PoolTimeout: time.Minute, ContextTimeoutEnabled: true},
			short, context.DeadlineExceeded, poolSize,
		},
		"deadline first, default client": {
			redis.Options{PoolSize: 1, PoolTimeout: time.Minute},
			short, context.DeadlineExceeded, poolSize,
		},
		"pool timeout first": {
			redis.Options{PoolSize: 1, PoolTimeout: time.Millisecond, ContextTimeoutEnabled: true},
			long, redis.ErrPoolTimeout, poolSize,
		},
		"pool at its limit": {
			redis.Options{PoolSize: 9, MaxActiveConns: 1},
			long, redis.ErrPoolExhausted, active,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := tc.opts
			opts.Addr, opts.MaxRetries = testenv.Redis(t), -1
			client := redis.NewClient(&opts)
			t.Cleanup(func() { _ = client.Close() })
			s := newSessions(t, client, testenv.Name(t)+":")
			save(t, s, record("a", 1, time.Hour))
			held := client.Conn()
			if err := held.Ping(background).Err(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(background, tc.timeout)
			defer cancel()
			_, err := s.Load(ctx, "a")
			if !errors.Is(err, tc.cause) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %v and %q", err, tc.cause, tc.want)
			}
			if err := held.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Load(background, "a"); err != nil {
				t.Errorf("with a free connection: %v", err)
			}
			ended, cancelEnded := context.WithTimeout(background, time.Nanosecond)
			defer cancelEnded()
			_, err = s.Load(ended, "a")
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "PoolSize") {
				t.Errorf("with a free connection, at the deadline: got error %v", err)
			}
		})
	}
}
