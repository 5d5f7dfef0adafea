package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/bound"
)

// isNoValue reports whether a GET has found no string.
func isNoValue(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}

// failure is the error of an operation. Where the context has ended it says so, whatever the client
// made of that; also if that was for want of a connection.
func (s *sessions) failure(ctx context.Context, op, id string, err error) error {
	if err == nil {
		return nil
	}
	ended := bound.Ended(ctx, err)
	fix := s.poolFix(ended, err)
	err = s.withhold(id, err)
	if ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	if fix != "" {
		err = fmt.Errorf("%w: %s", err, fix)
	}
	return fmt.Errorf("redisstore: %s: %w", op, err)
}

// poolFix is what an error advises if the client has found no connection free, or if all are in use
// at the deadline.
func (s *sessions) poolFix(ended, err error) string {
	const fix = "in use elsewhere: raise PoolSize (pool_size in a URL), or hold none while a " +
		"session is used"
	if errors.Is(err, redis.ErrPoolExhausted) {
		return "the connections that MaxActiveConns allows are in use elsewhere: raise it " +
			"(max_active_conns in a URL), or hold none while a session is used"
	}
	if c, ok := s.client.(interface{ Options() *redis.Options }); ok &&
		errors.Is(ended, context.DeadlineExceeded) {
		size, stats := c.Options().PoolSize, s.client.PoolStats()
		if stats.IdleConns == 0 && int(stats.TotalConns) >= size {
			return fmt.Sprintf("the pool's connections, PoolSize %d, are %s", size, fix)
		}
	}
	if errors.Is(err, redis.ErrPoolTimeout) {
		return "the pool's connections are " + fix
	}
	return ""
}

// withhold drops the parts of a message that may quote a key or data: what follows "with args"
// where the server does not know a command, a quotation where the client does not understand an
// answer, and the key itself.
func (s *sessions) withhold(id string, err error) error {
	text := err.Error()
	short, _, _ := strings.Cut(text, ", with args")
	if strings.HasPrefix(short, "redis: ") {
		short, _, _ = strings.Cut(short, `"`)
	}
	if id != "" {
		short = strings.ReplaceAll(short, s.prefix+id, s.prefix+"…")
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

// serverError is a server's error without what it quoted.
type serverError string

func (e serverError) Error() string { return string(e) }

// RedisError makes it a redis.Error.
func (serverError) RedisError() {}
