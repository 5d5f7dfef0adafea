package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/bound"
)

// sessions is the driver.
//
// A value that it has not written is not a session: not found, not listed, not touched, and not
// deleted for being in the way. Where the application turned the hashing of ids off, whoever sends
// a cookie chooses which key is read, and under a careless prefix that may be another program's.
type sessions struct {
	client   redis.UniversalClient
	punctual bool // the client ends its work at deadlines by itself
	prefix   string
	now      func() time.Time
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

// get returns the command to get a session, made in the room that the portable store gives, as far
// as that goes.
func (s *sessions) get(ctx context.Context, id string) *redis.StringCmd {
	if b, ok := ctx.(*bound.Context); ok {
		if room := b.Scratch(); room != nil {
			room.Args = [2]any{"get", append(append(room.Key[:0], s.prefix...), id...)}
			return redis.NewStringCmd(ctx, room.Args[:]...)
		}
	}
	return redis.NewStringCmd(ctx, "get", s.prefix+id)
}

// record returns the live record that a GET has found.
func (s *sessions) record(id string, cmd *redis.StringCmd) (driver.Record, bool) {
	b, err := cmd.Bytes() // memory of this reply alone
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

func (s *sessions) Touch(ctx context.Context, id string, version int64, expiry time.Time) error {
	n, err := s.run(ctx, touchScript, s.prefix+id, encodeVersion(version), encodeExpiry(expiry),
		expireAt(expiry))
	return s.outcome(ctx, "touch", id, n, err)
}

// outcome is what a script's answer means.
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

// MaxData implements driver.SizeLimiter. A server whose proto-max-bulk-len is lower answers what is
// longer with an error.
func (s *sessions) MaxData() int { return maxData }
