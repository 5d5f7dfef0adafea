package redisstore

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// Every operation works at each step of moving a slot to another master, whichever of the two holds
// the key.
func TestSlotMigration(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedisCluster)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: strings.Split(server.URL(), ",")})
	t.Cleanup(func() { _ = c.Close() })
	u := &users{newSessions(t, c, "{slot}:")}
	s := u.sessions
	slot, err := c.ClusterKeySlot(background, s.prefix).Result()
	if err != nil {
		t.Fatal(err)
	}
	from, err := c.MasterForKey(background, s.prefix)
	if err != nil {
		t.Fatal(err)
	}
	var to *redis.Client
	masters, err := s.masters(background)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range masters {
		if m := m.(*redis.Client); m.Options().Addr != from.Options().Addr {
			to = m
		}
	}
	do := func(node *redis.Client, args ...any) {
		t.Helper()
		if err := node.Do(background, args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	fromID := from.Do(background, "cluster", "myid").Val()
	toID := to.Do(background, "cluster", "myid").Val()

	steps := []struct {
		name string
		do   func(id string)
	}{
		{"before", func(string) {}},
		{"begun", func(string) {
			do(to, "cluster", "setslot", slot, "importing", fromID)
			do(from, "cluster", "setslot", slot, "migrating", toID)
		}},
		{"key moved", func(id string) { move(t, from, to, s.prefix+id) }},
		{"index moved", func(string) { move(t, from, to, u.userKey(alice)) }},
		{"all moved", func(string) {
			keys, err := from.ClusterGetKeysInSlot(background, int(slot), 100).Result()
			if err != nil || len(keys) == 0 {
				t.Fatalf("got %d keys in the slot, %v", len(keys), err)
			}
			for _, key := range keys {
				move(t, from, to, key)
			}
		}},
		{"done", func(string) {
			do(to, "cluster", "setslot", slot, "node", toID)
			do(from, "cluster", "setslot", slot, "node", toID)
		}},
	}
	for i := range steps {
		saveOwned(t, u, owned(alice, fmt.Sprint(i), 1, time.Hour))
	}
	for i, step := range steps {
		id := fmt.Sprint(i)
		step.do(id)
		rec := owned(alice, id, 1, 2*time.Hour)
		before := load(t, s, id)
		rec.Created, rec.Updated = before.Created, before.Updated
		touch := touchTo(id, 1, rec.Expiry)
		rec.Seen, touch.User = touch.Seen, alice
		if err := u.Touch(background, touch); err != nil {
			t.Errorf("%s: touch: %v", step.name, err)
		}
		if got := load(t, s, id); !equal(got, rec) {
			t.Errorf("%s: got %+v, want %+v", step.name, got, rec)
		}
		rec.Version = 2
		if err := u.Save(background, rec, driver.IfVersion(1)); err != nil {
			t.Errorf("%s: save: %v", step.name, err)
		}
		err := u.Save(background, rec, driver.IfVersion(1))
		want(t, step.name+": save again", err, driver.ErrConflict)
		fresh := owned(alice, "new"+id, 1, time.Hour)
		if err := u.Save(background, fresh, driver.IfAbsent()); err != nil {
			t.Errorf("%s: save if absent: %v", step.name, err)
		}
		err = u.Save(background, fresh, driver.IfAbsent())
		want(t, step.name+": save if absent again", err, driver.ErrConflict)
		if seen := ids(t, s); len(seen) != len(steps)+i+1 {
			t.Errorf("%s: range yields %v", step.name, seen)
		}
		if got := idsOf(t, u); len(got) != len(steps)+i+1 {
			t.Errorf("%s: range user yields %v", step.name, got)
		}
		setScore(t, u, "stale", 1e15)
		idsOf(t, u)
		if score := scores(t, u, alice)["stale"]; score >= 0 {
			t.Errorf("%s: a stale entry has score %f, want a mark", step.name, score)
		}
	}
}

// move moves a key from one node to another.
func move(t *testing.T, from, to *redis.Client, key string) {
	t.Helper()
	host, port, err := net.SplitHostPort(to.Options().Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Migrate(background, host, port, key, 0, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
}

// After a server is killed and restarted, acknowledged writes and times to live are still there,
// and scripts work.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server := testenv.Start(t, testenv.KindRedis)
	c := redis.NewClient(&redis.Options{Addr: server.URL()})
	t.Cleanup(func() { _ = c.Close() })
	s := newSessions(t, c, "app:")
	rec := record("a", 1, time.Hour)
	save(t, s, rec)
	save(t, s, record("deleted", 1, time.Hour))
	if err := s.Delete(background, "deleted", driver.Always()); err != nil {
		t.Fatal(err)
	}
	touch := touchTo("a", 1, rec.Expiry.Add(time.Hour))
	rec.Expiry, rec.Seen = touch.Expiry, touch.Seen
	if err := s.Touch(background, touch); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart()
	if got := load(t, s, "a"); !equal(got, rec) {
		t.Errorf("got %+v, want %+v", got, rec)
	}
	wantTTL(t, s, "a", rec.Expiry)
	_, err := s.Load(background, "deleted")
	want(t, "load", err, driver.ErrNotFound)
	rec.Version = 2
	if err := s.Save(background, rec, driver.IfVersion(1)); err != nil {
		t.Error(err)
	}
}
