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

// failure is the error of an operation. Where the context has ended it says so, whatever the client made of that.
func (s *sessions) failure(ctx context.Context, op, id string, err error) error {
	if err == nil {
		return nil
	}
	ended := bound.Ended(ctx, err)
	err = s.withhold(id, err)
	if ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("redisstore: %s: %w: %w", op, ended, err)
	}
	return fmt.Errorf("redisstore: %s: %w", op, err)
}

// withhold drops the parts of a message that may quote a key or data: what follows "with args" where the server does not
// know a command, a quotation where the client does not understand an answer, and the key itself.
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
