package format_test

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/redisstore"
	"github.com/scskit/scskit/stores/sqlstore"
)

// foreign is another program that writes sessions, as docs/format.md allows it.
type foreign interface {
	// change stores data over the session if that is still at the version held. It reports whether
	// it did.
	change(t *testing.T, id string, held, version int64, data []byte) bool
	create(t *testing.T, id, user string, version int64, data []byte)
	remove(t *testing.T, id string)
}

type foreignSQL struct{ db *sql.DB }

func (f foreignSQL) exec(t *testing.T, query string, args ...any) bool {
	t.Helper()
	result, err := f.db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := result.RowsAffected()
	return n == 1
}

func (f foreignSQL) change(t *testing.T, id string, held, version int64, data []byte) bool {
	now := time.Now().UnixMicro()
	return f.exec(t, "UPDATE sessions SET data = ?, version = ?, updated = ?, seen = ? "+
		"WHERE id = ? AND version = ? AND expiry > ?", data, version, now, now, []byte(id), held, now)
}

func (f foreignSQL) create(t *testing.T, id, user string, version int64, data []byte) {
	now := time.Now().UnixMicro()
	f.exec(t, "INSERT INTO sessions (id, version, expiry, created, updated, seen, user_hash, data) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?)", []byte(id), version, deadline.UnixMicro(), now, now, now,
		[]byte(user), data)
}

func (f foreignSQL) remove(t *testing.T, id string) {
	f.exec(t, "DELETE FROM sessions WHERE id = ?", []byte(id))
}

type foreignRedis struct {
	client *redis.Client
	prefix string
}

func (f foreignRedis) change(t *testing.T, id string, held, version int64, data []byte) bool {
	ctx, key := t.Context(), f.prefix+id
	err := f.client.Watch(ctx, func(tx *redis.Tx) error {
		old, err := tx.Get(ctx, key).Bytes()
		if err != nil {
			return err
		}
		one := parseRedis(old)
		if one.version != held {
			return redis.TxFailedErr
		}
		one.Updated, one.Seen = time.Now().UnixMilli(), time.Now().UnixMilli()
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.SetArgs(ctx, key, redisValueOf(one.redisVector, version, data),
				redis.SetArgs{ExpireAt: time.UnixMilli(one.Expiry)})
			return nil
		})
		return err
	}, key)
	if err != nil && !errors.Is(err, redis.TxFailedErr) {
		t.Fatal(err)
	}
	return err == nil
}

func (f foreignRedis) create(t *testing.T, id, user string, version int64, data []byte) {
	now := time.Now().UnixMilli()
	one := redisVector{
		User: user, Expiry: deadline.UnixMilli(), Seen: now, Created: now, Updated: now,
	}
	_, err := f.client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		index := f.prefix + "user:" + user
		p.ZAdd(t.Context(), index, redis.Z{Score: float64(one.Expiry), Member: id})
		p.ExpireAt(t.Context(), index, deadline.Add(time.Minute))
		p.SetArgs(t.Context(), f.prefix+id, redisValueOf(one, version, data),
			redis.SetArgs{Mode: "NX", ExpireAt: deadline})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f foreignRedis) remove(t *testing.T, id string) {
	if err := f.client.Del(t.Context(), f.prefix+id).Err(); err != nil {
		t.Fatal(err)
	}
}

type parsedRedis struct {
	redisVector
	version int64
}

// parseRedis reads the header of a value with a user, as docs/format.md says.
func parseRedis(value []byte) (p parsedRedis) {
	number := func(from, n int) (v int64) {
		for _, b := range value[from : from+n] {
			v = v<<8 | int64(b)
		}
		return v
	}
	p.version = number(1, 8)
	p.Expiry, p.Seen, p.Created, p.Updated = number(9, 6), number(15, 6), number(21, 6), number(27, 6)
	if value[0] == 0xf6 {
		p.User = string(value[34 : 34+number(33, 1)])
	}
	return p
}

func TestForeignWriters(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		db := openSQLite(t)
		made, err := sqlstore.New(db, sqlstore.SQLite(), &sqlstore.Options{Options: withUserKey})
		testForeign(t, newStore(t, made, err), foreignSQL{db})
	})
	t.Run("Redis", func(t *testing.T) {
		f := foreignRedis{newRedis(t), testenv.Name(t) + ":"}
		opts := &redisstore.Options{Options: withUserKey, Prefix: f.prefix}
		made, err := redisstore.New(f.client, opts)
		testForeign(t, newStore(t, made, err), f)
	})
}

func testForeign(t *testing.T, store *scskit.Store, f foreign) {
	sessions := scskit.New(store)
	id := hashOf(token)
	f.create(t, id, hashOf("ada"), 1, encode(t, map[string]any{"user": "ada"}))
	found := 0
	for s, err := range store.SessionsOf(t.Context(), "ada") {
		if err != nil || s.Values["user"] != "ada" || !s.Deadline.Equal(deadline) {
			t.Errorf("got %+v, error %v", s, err)
		}
		found++
	}
	if found != 1 {
		t.Errorf("the user has %d sessions, want 1", found)
	}

	// A new version: the request that runs meanwhile merges its changes.
	ctx := begin(t, sessions)
	sessions.Put(ctx, "ours", 1)
	if !f.change(t, id, 1, 7, encode(t, map[string]any{"user": "ada", "theirs": 1})) {
		t.Fatal("the foreign change was refused")
	}
	if _, _, err := sessions.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"user": "ada", "ours": 1, "theirs": 1}
	wantValues(t, store, want)

	// The session has changed since the foreign program read it.
	if f.change(t, id, 7, 8, encode(t, nil)) {
		t.Error("a change over another version was not refused")
	}
	wantValues(t, store, want)

	// The old version again: a request that runs meanwhile does not notice, and overwrites.
	rec, err := store.Driver().Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	ctx = begin(t, sessions)
	sessions.Put(ctx, "ours", 2)
	lost := maps.Clone(want)
	lost["theirs"] = 2
	if !f.change(t, id, rec.Version, rec.Version, encode(t, lost)) {
		t.Fatal("the foreign change was refused")
	}
	if _, _, err := sessions.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	want["ours"] = 2
	wantValues(t, store, want)

	// A session that another program deletes is destroyed, also for the request that runs meanwhile.
	ctx = begin(t, sessions)
	sessions.Put(ctx, "ours", 3)
	f.remove(t, id)
	_, _, _ = sessions.Commit(ctx)
	if _, found := find(t, store, token); found {
		t.Error("a request brought the session back")
	}
}

// begin loads the session as a request does.
func begin(t *testing.T, sessions *scs.SessionManager) context.Context {
	t.Helper()
	ctx, err := sessions.Load(scskit.WithTracker(t.Context()), token)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func wantValues(t *testing.T, store *scskit.Store, want map[string]any) {
	t.Helper()
	data, _ := find(t, store, token)
	if _, got, err := (scskit.Codec{}).Decode(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, error %v, want %v", got, err, want)
	}
}
