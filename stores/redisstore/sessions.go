package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// sessions is the driver.
//
// A value that this driver did not write is not a session: the driver does not load, list or touch
// it, and a save with IfAbsent does not replace it. If the application turns off the hashing of
// ids, the cookie determines which key is read, and that key may belong to another program.
type sessions struct {
	client         redis.UniversalClient
	keepsDeadlines bool // the client itself returns at the deadline of a context
	prefix         string
	now            func() time.Time
}

var (
	_ driver.Driver      = (*sessions)(nil)
	_ driver.Ranger      = (*sessions)(nil)
	_ driver.SizeLimiter = (*sessions)(nil)
)

func (s *sessions) Load(ctx context.Context, id string) (driver.Record, error) {
	cmd := s.get(ctx, id)
	err := s.process(ctx, cmd)
	if err != nil && !isNoValue(err) {
		return driver.Record{}, s.failure(ctx, "load", id, err)
	}
	rec, ok := s.record(id, cmd)
	if err != nil || !ok {
		return driver.Record{}, driver.ErrNotFound
	}
	return rec, nil
}

// get returns the command that loads a session. It builds the command in the memory of a
// bound.Context, if that is free.
func (s *sessions) get(ctx context.Context, id string) *redis.StringCmd {
	if b, ok := ctx.(*bound.Context); ok {
		if m := b.Scratch(); m != nil {
			m.Args = [2]any{"get", append(append(m.Key[:0], s.prefix...), id...)}
			return redis.NewStringCmd(ctx, m.Args[:]...)
		}
	}
	return redis.NewStringCmd(ctx, "get", s.prefix+id)
}

// record returns the record in the answer to a GET, if there is a live one.
func (s *sessions) record(id string, cmd *redis.StringCmd) (driver.Record, bool) {
	b, err := cmd.Bytes() // not shared, so that the record may keep it
	if err != nil {
		return driver.Record{}, false
	}
	rec, ok := decode(id, b)
	if !ok || !rec.Expiry.After(s.now()) {
		return driver.Record{}, false
	}
	return rec, true
}

func (s *sessions) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	if len(rec.Data) > maxData {
		return &driver.TooLargeError{Size: len(rec.Data), Limit: maxData}
	}
	if len(rec.User) > maxUser {
		return fmt.Errorf("redisstore: save: Record.User has %d bytes: it must have at most %d",
			len(rec.User), maxUser)
	}
	key, value := s.prefix+rec.ID, encode(rec)
	if cond.Absent() {
		cmd := redis.NewStatusCmd(ctx, "set", key, value, "nx", "pxat", expireAt(rec.Expiry))
		err := s.process(ctx, cmd)
		if errors.Is(err, redis.Nil) {
			return driver.ErrConflict
		}
		return s.failure(ctx, "save", rec.ID, err)
	}
	var held []byte
	if v, ok := cond.Match(); ok {
		held = encodeVersion(v)
	}
	n, err := s.run(ctx, saveScript, key, held, value, expireAt(rec.Expiry))
	return s.outcome(ctx, "save", rec.ID, n, err)
}

func (s *sessions) Touch(ctx context.Context, rec driver.Record) error {
	held, times := encodeVersion(rec.Version), encodeTouch(rec)
	n, err := s.run(ctx, touchScript, s.prefix+rec.ID, held, times, expireAt(rec.Expiry))
	return s.outcome(ctx, "touch", rec.ID, n, err)
}

// outcome returns the error for the result of a script.
func (s *sessions) outcome(ctx context.Context, op, id string, n int64, err error) error {
	switch {
	case err != nil:
		return s.failure(ctx, op, id, err)
	case n == missing:
		return driver.ErrNotFound
	case n == changed:
		return driver.ErrConflict
	}
	return nil
}

func (s *sessions) Delete(ctx context.Context, id string) error {
	cmd := redis.NewIntCmd(ctx, "del", s.prefix+id)
	if err := s.process(ctx, cmd); err != nil {
		return s.failure(ctx, "delete", id, err)
	}
	if cmd.Val() == 0 {
		return driver.ErrNotFound
	}
	return nil
}

// MaxData implements driver.SizeLimiter. A server with a lower proto-max-bulk-len refuses smaller
// values too.
func (s *sessions) MaxData() int { return maxData }
