package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
		return driver.Record{}, s.failure(ctx, "load", s.key(id), err)
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
			m.Args = [2]any{"get", append(append(append(m.Key[:0], s.prefix...), mark(id)...), id...)}
			return redis.NewStringCmd(ctx, m.Args[:]...)
		}
	}
	return redis.NewStringCmd(ctx, "get", s.key(id))
}

// record returns the record in the answer to a GET, if there is a live one.
func (s *sessions) record(id string, cmd *redis.StringCmd) (driver.Record, bool) {
	rec, ok := stored(id, cmd)
	if !ok || !s.live(rec) {
		return driver.Record{}, false
	}
	return rec, true
}

// stored returns the record in the answer to a GET, live or not.
func stored(id string, cmd *redis.StringCmd) (driver.Record, bool) {
	b, err := cmd.Bytes() // not shared, so that the record may keep it
	if err != nil {
		return driver.Record{}, false
	}
	return decode(id, b)
}

// live reports whether the program's clock has not reached the expiry.
func (s *sessions) live(rec driver.Record) bool { return rec.Expiry.After(s.now()) }

// The keys of the index of users are under the prefix too, so that the rules for the prefix apply
// to them. An id that starts with either mark gets idMark in front, so that no session has the key
// of a user. An id of scskit.Store has no colon.
const (
	userMark = "user:"
	idMark   = "id:"
)

// key returns the key of a session.
func (s *sessions) key(id string) string { return s.prefix + mark(id) + id }

// mark returns what is between the prefix and the id.
func mark(id string) string {
	if strings.HasPrefix(id, userMark) || strings.HasPrefix(id, idMark) {
		return idMark
	}
	return ""
}

// id returns the id of the session under a key. ok is false if no session has this key.
func (s *sessions) id(key string) (id string, ok bool) {
	id, ok = strings.CutPrefix(key, s.prefix)
	id = strings.TrimPrefix(id, idMark)
	return id, ok && len(key) == len(s.prefix)+len(mark(id))+len(id)
}

func (s *sessions) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	cmd, err := s.saving(ctx, rec, cond)
	if err != nil {
		return err
	}
	return s.outcome(ctx, "save", rec.ID, cmd, s.send(ctx, cmd))
}

// saving returns the command that saves a record.
func (s *sessions) saving(
	ctx context.Context, rec driver.Record, cond driver.Condition,
) (redis.Cmder, error) {
	if len(rec.Data) > maxData {
		return nil, &driver.TooLargeError{Size: len(rec.Data), Limit: maxData}
	}
	if len(rec.User) > maxUser {
		return nil, fmt.Errorf("redisstore: save: Record.User has %d bytes: it must have at most %d",
			len(rec.User), maxUser)
	}
	key, value := s.key(rec.ID), encode(rec)
	if cond.Absent() {
		return redis.NewStatusCmd(ctx, "set", key, value, "nx", "pxat", expireAt(rec.Expiry)), nil
	}
	var held []byte
	if v, ok := cond.Match(); ok {
		held = encodeVersion(v)
	}
	return evalsha(ctx, saveScript, key, held, value, expireAt(rec.Expiry)), nil
}

func (s *sessions) Touch(ctx context.Context, rec driver.Record) error {
	cmd := s.touching(ctx, rec)
	return s.outcome(ctx, "touch", rec.ID, cmd, s.send(ctx, cmd))
}

// touching returns the command that touches a record.
func (s *sessions) touching(ctx context.Context, rec driver.Record) redis.Cmder {
	return evalsha(ctx, touchScript, s.key(rec.ID), encodeVersion(rec.Version), encodeTouch(rec),
		expireAt(rec.Expiry))
}

// outcome returns the error of a conditional write, given its command and the error of sending it.
func (s *sessions) outcome(
	ctx context.Context, op, id string, cmd redis.Cmder, err error,
) error {
	if errors.Is(err, redis.Nil) { // SET with NX
		return driver.ErrConflict
	}
	if err != nil {
		return s.failure(ctx, op, s.key(id), err)
	}
	if script, ok := cmd.(*redis.IntCmd); ok {
		switch script.Val() {
		case missing:
			return driver.ErrNotFound
		case changed:
			return driver.ErrConflict
		}
	}
	return nil
}

func (s *sessions) Delete(ctx context.Context, id string, cond driver.Condition) error {
	if v, ok := cond.Match(); ok {
		cmd := redis.NewIntCmd(ctx, "evalsha", deleteScript, 1, s.key(id), encodeVersion(v))
		return s.outcome(ctx, "delete", id, cmd, s.send(ctx, cmd))
	}
	cmd := redis.NewIntCmd(ctx, "del", s.key(id))
	if err := s.process(ctx, cmd); err != nil {
		return s.failure(ctx, "delete", s.key(id), err)
	}
	if cmd.Val() == 0 {
		return driver.ErrNotFound
	}
	return nil
}

// MaxData implements driver.SizeLimiter. A server with a lower proto-max-bulk-len refuses smaller
// values too.
func (s *sessions) MaxData() int { return maxData }
