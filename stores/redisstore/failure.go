package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
)

// isNoValue reports whether a GET failed because the key does not exist or does not hold a string.
func isNoValue(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}

// failure returns the error of an operation on a key. If the context has ended, the error matches
// the context's error, whatever the client returned.
func (s *sessions) failure(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	ended := bound.Ended(ctx, err)
	fix := s.poolFix(ended, err)
	err = s.withhold(key, err)
	if ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	if fix != "" {
		err = fmt.Errorf("%w: %s", err, fix)
	}
	return fmt.Errorf("redisstore: %s: %w", op, err)
}

// poolFix returns advice if the client found no free connection, or if all connections were in use
// at the deadline. Otherwise it returns "".
func (s *sessions) poolFix(ended, err error) string {
	const (
		fix = "are in use elsewhere: raise PoolSize (pool_size in a URL), or hold no " +
			"connection while you use a session"
		activeFix = "are in use elsewhere: raise it (max_active_conns in a URL), or hold no " +
			"connection while you use a session"
	)
	if errors.Is(err, redis.ErrPoolExhausted) {
		return "all connections that MaxActiveConns allows " + activeFix
	}
	c, ok := s.client.(interface{ Options() *redis.Options })
	if ok && errors.Is(ended, context.DeadlineExceeded) {
		size, stats := c.Options().PoolSize, s.client.PoolStats()
		if stats.IdleConns == 0 && int(stats.TotalConns) >= size {
			return fmt.Sprintf("all connections of the pool (PoolSize %d) %s", size, fix)
		}
	}
	if errors.Is(err, redis.ErrPoolTimeout) {
		return "all connections of the pool " + fix
	}
	return ""
}

// withhold removes the parts of an error text that may quote a key or data: the arguments in the
// server's error for an unknown command, the quotation in the client's error for an invalid answer,
// and the key itself.
func (s *sessions) withhold(key string, err error) error {
	text := err.Error()
	short, _, _ := strings.Cut(text, ", with args")
	if strings.HasPrefix(short, "redis: ") {
		short, _, _ = strings.Cut(short, `"`)
	}
	if key != "" {
		short = strings.ReplaceAll(short, key, s.prefix+"…")
	}
	if short == text {
		return err
	}
	var server redis.Error
	if errors.As(err, &server) {
		return serverError(short)
	}
	return errors.New(short)
}

// serverError is the text of a server's error without quotations.
type serverError string

func (e serverError) Error() string { return string(e) }

// RedisError implements redis.Error.
func (serverError) RedisError() {}
