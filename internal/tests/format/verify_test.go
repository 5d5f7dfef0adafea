package format_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/cookiestore"
	"github.com/scskit/scskit/stores/memstore"
	"github.com/scskit/scskit/stores/redisstore"
)

// These tests compare the vectors, which the tests have made as the page says, with scskit itself.

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newMemory(t *testing.T, opts scskit.Options) *scskit.Store {
	t.Helper()
	store, err := memstore.New(&memstore.Options{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// save stores a record as the backend holds it.
func save(t *testing.T, store *scskit.Store, id string, data []byte) {
	t.Helper()
	now := time.Now()
	err := store.Driver().Save(t.Context(), driver.Record{
		ID: id, Data: data, Version: 1, Expiry: deadline, Created: now, Updated: now, Seen: now,
	}, driver.Always())
	if err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, store *scskit.Store, token string) (data []byte, found bool) {
	t.Helper()
	data, found, err := store.FindCtx(scskit.WithTracker(t.Context()), token)
	if err != nil {
		t.Fatal(err)
	}
	return data, found
}

func TestIDs(t *testing.T) {
	v := readVectors(t)
	for _, one := range v.IDs {
		if got := scskit.HashToken(one.Token); got != one.ID {
			t.Errorf("%s: got %s, want %s", one.Token, got, one.ID)
		}
	}
	store := newMemory(t, scskit.Options{UserKey: "user"})
	for _, one := range v.Users {
		user := one.Value
		if number, ok := user.(float64); ok {
			user = int64(number)
		}
		err := store.Commit(token, encode(t, map[string]any{"user": user}), deadline)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := store.Driver().Load(t.Context(), hashOf(token))
		if err != nil || rec.User != one.Hash {
			t.Errorf("%v: got %s, error %v, want %s", user, rec.User, err, one.Hash)
		}
	}
}

func TestSessions(t *testing.T) {
	all := readVectors(t).Sessions
	got, values, err := scskit.Codec{}.Decode(unhex(t, all[len(all)-1].Hex))
	if err != nil || !got.Equal(deadline) {
		t.Fatalf("got deadline %v, error %v", got, err)
	}
	for key, want := range allValues() {
		if when, ok := want.(time.Time); ok {
			if got, ok := values[key].(time.Time); !ok || !got.Equal(when) {
				t.Errorf("%s: got %v, want %v", key, values[key], when)
			}
		} else if !reflect.DeepEqual(values[key], want) {
			t.Errorf("%s: got %#v, want %#v", key, values[key], want)
		}
	}
	kinds := map[string]error{
		"of scs.GobCodec": nil, "of a later version of the codec": scskit.ErrNewer,
		"a sealed record of a later version": scskit.ErrNewer, "cut short": scskit.ErrCorrupt,
		"a byte too many": scskit.ErrCorrupt,
	}
	for _, one := range readVectors(t).Refused {
		if _, _, err := (scskit.Codec{}).Decode(unhex(t, one.Hex)); !errors.Is(err, kinds[one.About]) {
			t.Errorf("%s: got error %v", one.About, err)
		}
	}
}

// A session of scs's own codec gets the format of this page when it is saved.
func TestLegacy(t *testing.T) {
	store := newMemory(t, scskit.Options{})
	save(t, store, hashOf(token), unhex(t, legacy))
	sessions := scskit.New(store)
	err := sessions.Iterate(scskit.WithTracker(t.Context()), func(ctx context.Context) error {
		_, _, err := sessions.Commit(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := store.Driver().Load(t.Context(), hashOf(token))
	if err != nil || string(rec.Data) != string(encode(t, map[string]any{"visits": 3})) {
		t.Errorf("got %x, error %v", rec.Data, err)
	}
}

func TestSealed(t *testing.T) {
	for _, keys := range [][][]byte{{oldKey[:], newKey[:]}, {newKey[:], oldKey[:]}} {
		store := newMemory(t, scskit.Options{Keys: keys})
		for _, one := range readVectors(t).Sealed {
			save(t, store, one.ID, unhex(t, one.Hex))
			if data, found := find(t, store, token); !found || hex.EncodeToString(data) != one.Data {
				t.Errorf("got %x, found %v, want %s", data, found, one.Data)
			}
		}
		// The store seals everything that it stores, tombstones and locks too.
		if err := store.Commit(token, encode(t, nil), deadline); err != nil {
			t.Fatal(err)
		}
		lock, err := store.Lock(t.Context(), token, scskit.LockOptions{Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release(t.Context())
		for id, want := range map[string]string{
			hashOf(token): string(encode(t, nil)), hashOf(lockMark + hashOf(token)): lockMark,
		} {
			rec, err := store.Driver().Load(t.Context(), id)
			if err != nil || len(rec.Data) != len(want)+35 || string(rec.Data[:3]) != "\xc1S\x01" {
				t.Fatalf("got %x, error %v", rec.Data, err)
			}
			aad := []byte("scskit record 1 " + id)
			plain, err := gcm(keys[0]).Open(nil, rec.Data[7:19], rec.Data[19:], aad)
			if err != nil || string(plain) != want || string(rec.Data[3:7]) != string(keyID(keys[0])) {
				t.Errorf("got %q, error %v, want %q", plain, err, want)
			}
		}
	}
}

// parseTombstone reads a tombstone as the page says.
func parseTombstone(t *testing.T, data []byte) (v tombstoneVector) {
	t.Helper()
	rest, ok := strings.CutPrefix(string(data), "\x00scskit: renewed\x00")
	if !ok {
		t.Fatalf("%q is no tombstone", data)
	}
	v.Hex = hex.EncodeToString(data)
	v.User, rest, _ = strings.Cut(rest, "\x00")
	rest, v.Closed = strings.CutPrefix(rest, "!")
	for rest != "" {
		var n int
		digits, after, _ := strings.Cut(rest[1:], ":")
		if err := json.Unmarshal([]byte(digits), &n); err != nil {
			t.Fatal(err)
		}
		v.Successors = append(v.Successors, successor{rest[:1], after[:n]})
		rest = after[n:]
	}
	return v
}

func TestTombstones(t *testing.T) {
	store := newMemory(t, scskit.Options{UserKey: "user"})
	for _, one := range readVectors(t).Tombstones {
		data := unhex(t, one.Hex)
		if got := parseTombstone(t, data); !reflect.DeepEqual(got, one) {
			t.Errorf("got %+v, want %+v", got, one)
		}
		save(t, store, hashOf(token), data)
		if _, found := find(t, store, token); found {
			t.Error("a tombstone is found as a session")
		}
	}
	if all, err := store.All(); err != nil || len(all) != 0 {
		t.Errorf("got %d sessions, error %v", len(all), err)
	}

	// A tombstone of a sign-in.
	sessions := scskit.New(store)
	request := func(token string, do func(ctx context.Context) error) string {
		t.Helper()
		ctx, err := sessions.Load(scskit.WithTracker(t.Context()), token)
		if err == nil {
			err = do(ctx)
		}
		if err == nil {
			token, _, err = sessions.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := request("", func(ctx context.Context) error {
		sessions.Put(ctx, "user", "ada")
		return nil
	})
	next := request(first, sessions.RenewToken)
	rec, err := store.Driver().Load(t.Context(), hashOf(first))
	if err != nil {
		t.Fatal(err)
	}
	want := tombstoneVector{
		User: hashOf("ada"), Successors: []successor{{"r", hashOf(next)}},
		Hex: hex.EncodeToString(rec.Data),
	}
	if got := parseTombstone(t, rec.Data); !reflect.DeepEqual(got, want) || rec.User != want.User {
		t.Errorf("got %+v of %s, want %+v", got, rec.User, want)
	}
	if left := time.Until(rec.Expiry); left > 5*time.Minute+time.Second || left < time.Minute {
		t.Errorf("the tombstone lasts %v", left)
	}
}

// The note of a sign-in is one string of JSON.
func TestSignIn(t *testing.T) {
	store := newMemory(t, scskit.Options{UserKey: "user"})
	sessions := scskit.New(store)
	ctx, err := sessions.Load(scskit.WithTracker(t.Context()), "")
	if err == nil {
		err = scskit.SignIn(ctx, sessions, "ada", &scskit.SignInOptions{
			Label: "laptop", UserAgent: "agent", Address: "192.0.2.1", RememberMe: true,
			IdleTimeout: time.Minute, Lifetime: time.Hour,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := sessions.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := find(t, store, token)
	_, values, err := scskit.Codec{}.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := values["__signIn"].(string)
	var note map[string]any
	if err := json.Unmarshal([]byte(text), &note); err != nil {
		t.Fatal(err)
	}
	at, _ := note["at"].(float64)
	if age := time.Since(time.UnixMilli(int64(at))); age < 0 || age > time.Hour {
		t.Errorf("at is %v", note["at"])
	}
	delete(note, "at")
	want := map[string]any{
		"user": hashOf("ada")[:16], "idle": 60_000.0, "life": 3_600_000.0, "label": "laptop",
		"agent": "agent", "address": "192.0.2.1",
	}
	if !reflect.DeepEqual(note, want) || values["user"] != "ada" || values["__rememberMe"] != true {
		t.Errorf("got %v, and %v, want %v", note, values, want)
	}
}

func TestLocks(t *testing.T) {
	store := newMemory(t, scskit.Options{})
	for _, one := range readVectors(t).Locks {
		lock, err := store.Lock(t.Context(), token, scskit.LockOptions{Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := store.Driver().Load(t.Context(), one.ID)
		if err != nil || hex.EncodeToString(rec.Data) != one.Hex || one.Session != hashOf(token) {
			t.Errorf("got %q, error %v", rec.Data, err)
		}
		lock.Release(t.Context())
	}
}

func TestCookies(t *testing.T) {
	for _, one := range readVectors(t).Cookies {
		store, err := cookiestore.New([][]byte{newKey[:], unhex(t, one.Key)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		carrier, _ := driver.As[driver.Carrier](store.Driver())
		rec, err := carrier.Open(one.Value)
		if err != nil || hex.EncodeToString(rec.Data) != one.Data || rec.Version != 1<<62+1 ||
			rec.Expiry.UnixMilli() != one.Expiry || rec.Updated.UnixMilli() != one.Updated {
			t.Errorf("got %+v, error %v, want %+v", rec, err, one)
		}
	}
}

func newRedis(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: testenv.Redis(t), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestRedisValues(t *testing.T) {
	client, prefix := newRedis(t), testenv.Name(t)+":"
	for _, one := range readVectors(t).Redis {
		opts := &redisstore.Options{Options: scskit.Options{UserKey: "user"}, Prefix: prefix}
		store, err := redisstore.New(client, opts)
		if err != nil {
			t.Fatal(err)
		}
		rec := driver.Record{
			ID: "id" + one.User, Data: unhex(t, one.Data), Version: 1<<62 + 1, User: one.User,
			Expiry: time.UnixMilli(one.Expiry).UTC(), Seen: time.UnixMilli(one.Seen).UTC(),
			Created: time.UnixMilli(one.Created).UTC(), Updated: time.UnixMilli(one.Updated).UTC(),
		}
		key := prefix + rec.ID
		if err := store.Driver().Save(t.Context(), rec, driver.Always()); err != nil {
			t.Fatal(err)
		}
		if got := client.Get(t.Context(), key).Val(); hex.EncodeToString([]byte(got)) != one.Hex {
			t.Errorf("got %x, want %s", got, one.Hex)
		}
		at := client.PExpireTime(t.Context(), key)
		if got := at.Val().Milliseconds(); at.Err() == nil && got != one.Expiry {
			t.Errorf("the key expires at %d, want %d", got, one.Expiry)
		}
		if one.User != "" { // the index of users
			entries, err := client.ZRangeWithScores(t.Context(), prefix+"user:"+one.User, 0, -1).Result()
			if err != nil || len(entries) != 1 || entries[0].Member != rec.ID ||
				int64(entries[0].Score) != one.Expiry {
				t.Errorf("the index has %v, error %v", entries, err)
			}
		}
		if err := client.Set(t.Context(), key, unhex(t, one.Hex), time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := store.Driver().Load(t.Context(), rec.ID)
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("got %+v, error %v, want %+v", got, err, rec)
		}
	}
	// An id that begins like one of the store's own keys has "id:" before it.
	store, err := redisstore.New(client, &redisstore.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"user:x", "id:x"} {
		save(t, store, id, nil)
		if n := client.Exists(t.Context(), prefix+"id:"+id).Val(); n != 1 {
			t.Errorf("the session %s is not under id:%s", id, id)
		}
	}
}
