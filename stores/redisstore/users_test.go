package redisstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// Users, as scskit.Store passes them: the length of a SHA-256 in base64.
const (
	alice = "alice__________________________________hash"
	bob   = "bob____________________________________hash"
)

// onEachIndex runs a test on a single server and on a cluster, with an index of users.
func onEachIndex(t *testing.T, test func(t *testing.T, u *users)) {
	onEach(t, func(t *testing.T, s *sessions) { test(t, &users{s}) })
}

func owned(user, id string, version int64, ttl time.Duration) driver.Record {
	rec := record(id, version, ttl)
	rec.User = user
	return rec
}

func saveOwned(tb testing.TB, u *users, rec driver.Record) {
	tb.Helper()
	if err := u.Save(background, rec, driver.Always()); err != nil {
		tb.Fatalf("save %q: %v", rec.ID, err)
	}
}

// wantIDs checks which sessions RangeUser yields.
func wantIDs(t *testing.T, u *users, user string, want ...string) {
	t.Helper()
	var got []string
	for rec, err := range u.RangeUser(background, user) {
		if err != nil {
			t.Fatalf("range user: %v", err)
		}
		if loaded := load(t, u.sessions, rec.ID); !equal(rec, loaded) || rec.User != user {
			t.Errorf("range user: got %+v, load: %+v", rec, loaded)
		}
		got = append(got, rec.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("range user: got %q, want %q", got, want)
	}
}

// scores returns the user's set.
func scores(t *testing.T, u *users, user string) map[string]float64 {
	t.Helper()
	all, err := u.client.ZRangeWithScores(background, u.userKey(user), 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]float64, len(all))
	for _, z := range all {
		m[z.Member.(string)] = z.Score
	}
	return m
}

func setScore(t *testing.T, u *users, id string, score float64) {
	t.Helper()
	z := redis.Z{Member: id, Score: score}
	if err := u.client.ZAdd(background, u.userKey(alice), z).Err(); err != nil {
		t.Fatal(err)
	}
}

func wantEntries(t *testing.T, u *users, want map[string]time.Time) {
	t.Helper()
	got := scores(t, u, alice)
	for id, expiry := range want {
		if got[id] != float64(expiry.UnixMilli()) {
			t.Errorf("entry %q: got score %f, want %d", id, got[id], expiry.UnixMilli())
		}
	}
	if len(got) != len(want) {
		t.Errorf("got entries %v, want %v", got, want)
	}
}

// wantSetTTL checks when Redis removes the set of alice.
func wantSetTTL(t *testing.T, u *users, latest time.Time) {
	t.Helper()
	ms, err := u.client.Do(background, "pexpiretime", u.userKey(alice)).Int64()
	if want := latest.UnixMilli() + margin; err != nil || ms != want {
		t.Errorf("the set expires at %d, %v, want %d", ms, err, want)
	}
}

// idsOf returns the ids of the sessions of alice.
func idsOf(t *testing.T, u *users) (ids []string) {
	t.Helper()
	for rec, err := range u.RangeUser(background, alice) {
		if err != nil {
			t.Error(err)
		}
		ids = append(ids, rec.ID)
	}
	return ids
}

// No id of a session has the key of a user, and Range yields no set.
func TestIDsLikeUsers(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		ids := []string{
			"user:" + alice, "user:", "user", "id:", "id", "id:user:" + alice, "id:id:user:", "ID:", "",
		}
		saveOwned(t, u, owned(alice, "a", 1, time.Hour))
		for _, id := range ids {
			rec := owned(bob, id, 1, time.Hour)
			saveOwned(t, u, rec)
			if err := u.Touch(background, rec); err != nil {
				t.Errorf("touch %q: %v", id, err)
			}
			if got := load(t, u.sessions, id); !equal(got, rec) {
				t.Errorf("got %+v, want %+v", got, rec)
			}
		}
		foreign := string(encode(owned(alice, "x", 1, time.Hour)))
		for _, key := range []string{"id:x", "user:x"} {
			if err := u.client.Set(background, u.prefix+key, foreign, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
		wantIDs(t, u, alice, "a")
		wantIDs(t, u, bob, ids...)
		seen := make(map[string]bool)
		for rec, err := range u.Range(background) {
			if err != nil {
				t.Fatal(err)
			}
			seen[rec.ID] = true
		}
		if len(seen) != len(ids)+1 {
			t.Errorf("range yields %v", seen)
		}
		for _, id := range ids {
			if err := u.Delete(background, id, driver.Always()); err != nil {
				t.Errorf("delete %q: %v", id, err)
			}
		}
		wantIDs(t, u, alice, "a")
	})
}

// Members that others have put into the set do no harm.
func TestHostileMembers(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		saveOwned(t, u, owned(alice, "a", 1, time.Hour))
		saveOwned(t, u, owned(bob, "b", 1, time.Hour))
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for i, member := range []string{
			"", "b", string(every), strings.Repeat("x", maxID), strings.Repeat("x", maxID+1),
			strings.Repeat("x", 1<<20), "user:" + alice, "*", "a ", "A", "{", "\r\n",
		} {
			for _, score := range []float64{0, 1e300, -1e300, float64(i), -1, 0.5} {
				setScore(t, u, member, score)
				wantIDs(t, u, alice, "a")
				saveOwned(t, u, owned(alice, "a", 1, time.Hour))
			}
		}
		err := u.client.Do(background, "zadd", u.userKey(alice), "inf", "i", "-inf", "j").Err()
		if err != nil {
			t.Fatal(err)
		}
		if err := u.client.Persist(background, u.userKey(alice)).Err(); err != nil {
			t.Fatal(err)
		}
		saveOwned(t, u, owned(alice, "a", 1, time.Hour))
		wantIDs(t, u, alice, "a")
	})
}

func FuzzEntries(f *testing.F) {
	f.Add("a\x001790000000000\x00b\x00-1790000000000\x00c", int64(1780000000000))
	f.Add("\x00nan\x00a\x00-inf\x00b\x001e999\x00c\x00", int64(0))
	f.Add(strings.Repeat("x", maxID+1)+"\x001\x00b\x00-1", int64(-1))
	f.Fuzz(func(t *testing.T, answer string, now int64) {
		found := strings.Split(answer, "\x00")
		all := entries(slices.Clone(found))
		if len(all) > len(found)/2 {
			t.Fatalf("%q: got %d entries", found, len(all))
		}
		for _, e := range all {
			i := slices.Index(found, e.id)
			if len(e.id) > maxID || i < 0 || !slices.Contains(found, e.score) {
				t.Errorf("%q: got %+v", found, e)
			}
			if e.waits(now) && !strings.HasPrefix(strings.TrimSpace(e.score), "-") && now >= 0 {
				t.Errorf("%+v waits at %d without a mark", e, now)
			}
		}
	})
}

// If the index can not be written, a save fails, and says why.
func TestIndexFails(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	admin := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = admin.Close() })
	err := admin.Do(background, "acl", "setuser", "u", "on", ">pw", "~app:*", "+@all", "-zadd").Err()
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: server.URL(), Username: "u", Password: "pw"})
	t.Cleanup(func() { _ = c.Close() })
	u := &users{newSessions(t, c, "app:")}
	for name, op := range operations(u) {
		if name == "load" || strings.HasPrefix(name, "delete") {
			continue
		}
		save(t, u.sessions, record("a", 1, time.Hour))
		err := op(background)
		if name == "save if absent" {
			want(t, name, err, driver.ErrConflict)
			continue
		}
		prefix := "redisstore: " + strings.Fields(name)[0] + ": index of users: "
		if err == nil || !strings.HasPrefix(err.Error(), prefix) || strings.Contains(err.Error(), alice) {
			t.Errorf("%s: got error %v, want %s…", name, err, prefix)
		}
	}
	if err := u.Save(background, record("b", 1, time.Hour), driver.Always()); err != nil {
		t.Errorf("a session without a user: %v", err)
	}
}

// A pipeline that finds no connection is an error, not a page of missing sessions.
func TestPipelineWithoutConnection(t *testing.T) {
	t.Parallel()
	for name, retries := range map[string]int{"no retry": -1, "retries": 2} {
		client := redis.NewClient(&redis.Options{
			Addr: testenv.Redis(t), MaxRetries: retries, PoolSize: 1, PoolTimeout: time.Millisecond,
		})
		t.Cleanup(func() { _ = client.Close() })
		u := &users{newSessions(t, client, testenv.Name(t)+":")}
		rec := owned(alice, "a", 1, time.Hour)
		saveOwned(t, u, rec)
		held := client.Conn()
		if err := held.Ping(background).Err(); err != nil {
			t.Fatal(err)
		}
		size := firstPage
		_, err := u.page(background, []string{u.key("a")}, &size)
		want(t, name+": page", err, redis.ErrPoolTimeout)
		want(t, name+": save", u.Save(background, rec, driver.Always()), redis.ErrPoolTimeout)
		want(t, name+": touch", u.Touch(background, rec), redis.ErrPoolTimeout)
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		wantIDs(t, u, alice, "a")
	}
}

// RangeUser reads the user's sessions and no others.
func TestRangeUserCost(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	c := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = c.Close() })
	u := &users{newSessions(t, c, "app:")}
	fill(t, u.sessions, 100_000, 75)
	ids := []string{"1", "2", "3", "4", "5"}
	for _, id := range ids {
		saveOwned(t, u, owned(alice, id, 1, time.Hour))
	}
	if err := c.ConfigResetStat(background).Err(); err != nil {
		t.Fatal(err)
	}
	if got := idsOf(t, u); len(got) != len(ids) {
		t.Errorf("got %d sessions, want %d", len(got), len(ids))
	}
	info, err := c.Info(background, "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for line := range strings.Lines(info) {
		name, stats, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if calls, _, found := strings.Cut(stats, ","); ok && found {
			got[name] = calls
		}
	}
	delete(got, "config|resetstat")
	if len(got) != 2 || got["zscan"] != "1" || got["get"] != "5" {
		t.Errorf("got commands %v, want one ZSCAN and five GETs", got)
	}
}
