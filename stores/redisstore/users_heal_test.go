package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
)

// Every save and touch writes the entry, so that a lost one comes back.
func TestLostEntry(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		rec := owned(alice, "a", 1, time.Hour)
		ops := map[string]func() error{
			"save":            func() error { return u.Save(background, rec, driver.Always()) },
			"save if version": func() error { return u.Save(background, rec, driver.IfVersion(1)) },
			"touch":           func() error { return u.Touch(background, rec) },
			"save if absent": func() error {
				if err := u.Delete(background, "a", driver.Always()); err != nil {
					return err
				}
				return u.Save(background, rec, driver.IfAbsent())
			},
		}
		saveOwned(t, u, rec)
		for name, op := range ops {
			for how, lose := range map[string]func() error{
				"deleted": func() error { return u.client.Del(background, u.userKey(alice)).Err() },
				"removed": func() error { return u.client.ZRem(background, u.userKey(alice), "a").Err() },
				"replaced": func() error {
					return u.client.Set(background, u.userKey(alice), "of another program", 0).Err()
				},
			} {
				if err := lose(); err != nil {
					t.Fatal(err)
				}
				rec.Expiry = rec.Expiry.Add(time.Second)
				if err := op(); err != nil {
					t.Errorf("%s, %s: %v", how, name, err)
				}
				wantEntries(t, u, map[string]time.Time{"a": rec.Expiry})
				wantSetTTL(t, u, rec.Expiry)
				wantIDs(t, u, alice, "a")
			}
		}
	})
}

// An index that is not a sorted set is an error, because RangeUser would miss sessions.
func TestForeignIndex(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		if err := u.client.Set(background, u.userKey(alice), "text", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		err := firstError(u.RangeUser(background, alice))
		if err == nil || !strings.Contains(err.Error(), "delete its key") ||
			strings.Contains(err.Error(), alice) {
			t.Errorf("got error %v", err)
		}
	})
}

// The set expires with its latest entry, also if it has lost its time to live.
func TestSetExpires(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		a, b := owned(alice, "a", 1, time.Hour), owned(alice, "b", 1, 2*time.Hour)
		saveOwned(t, u, a)
		wantSetTTL(t, u, a.Expiry)
		saveOwned(t, u, b)
		wantSetTTL(t, u, b.Expiry)
		a.Expiry = a.Expiry.Add(time.Minute)
		saveOwned(t, u, a)
		wantSetTTL(t, u, b.Expiry)
		for _, latest := range []driver.Record{b, owned(alice, "c", 1, 300*24*time.Hour)} {
			if err := u.client.Persist(background, u.userKey(alice)).Err(); err != nil {
				t.Fatal(err)
			}
			setScore(t, u, latest.ID, float64(latest.Expiry.UnixMilli()))
			saveOwned(t, u, a)
			wantSetTTL(t, u, latest.Expiry)
		}
		wantIDs(t, u, alice, "a", "b")

		for _, year := range []int{1960, 1970, 2001, 2040, 9999, 20000} {
			rec := owned(bob, fmt.Sprint(year), 1, 0)
			rec.Expiry = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			saveOwned(t, u, rec)
			want := 0
			if year > 2030 {
				want = 1
			}
			if n := len(scores(t, u, bob)); n != want {
				t.Errorf("year %d: got %d entries, want %d", year, n, want)
			}
			if err := u.client.Del(background, u.userKey(bob)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A write removes the entries whose expiry has passed, with a margin for the clocks.
func TestExpiredEntries(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		ago := func(ms int) float64 { return float64(time.Now().UnixMilli() - int64(ms)) }
		rec := owned(alice, "a", 1, time.Hour)
		for name, op := range map[string]func() error{
			"save":  func() error { return u.Save(background, rec, driver.Always()) },
			"touch": func() error { return u.Touch(background, rec) },
			"range": func() error { return firstErrorOf(u, alice) },
		} {
			saveOwned(t, u, rec)
			setScore(t, u, "old", 1)
			setScore(t, u, "passed", ago(2*margin))
			setScore(t, u, "just passed", ago(margin/2))
			if err := op(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got := scores(t, u, alice)
			if _, ok := got["just passed"]; !ok || len(got) != 2 {
				t.Errorf("%s: got entries %v, want a and the one that has just passed", name, got)
			}
		}
	})
}

// firstErrorOf lists all sessions of a user.
func firstErrorOf(u *users, user string) error {
	for _, err := range u.RangeUser(background, user) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Entries without a session of the user are marked first, and removed when they have been marked
// for long enough. Every save and touch removes the mark.
func TestStaleEntries(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		live := owned(alice, "live", 1, time.Hour)
		saveOwned(t, u, live)
		stale := []string{"deleted", "signed out", "bob's", "foreign"}
		for _, id := range stale {
			saveOwned(t, u, owned(alice, id, 1, time.Hour))
		}
		saveOwned(t, u, owned("", "signed out", 2, time.Hour))
		saveOwned(t, u, owned(bob, "bob's", 2, time.Hour))
		for _, id := range []string{"deleted", "foreign"} {
			if err := u.Delete(background, id, driver.Always()); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.client.HSet(background, u.key("foreign"), "field", "value").Err(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now().UnixMilli()
		wantIDs(t, u, alice, "live")
		wantIDs(t, u, bob, "bob's")
		marked := scores(t, u, alice)
		for _, id := range stale {
			if from := -marked[id]; from < float64(begin+grace-margin) {
				t.Errorf("%s: got score %f, want a mark", id, marked[id])
			}
		}
		wantIDs(t, u, alice, "live")
		for id, score := range scores(t, u, alice) {
			if score != marked[id] {
				t.Errorf("%s: another listing changed the score", id)
			}
		}

		// A hostile mark is replaced by a valid one.
		setScore(t, u, "deleted", -1e300)
		wantIDs(t, u, alice, "live")
		if score := scores(t, u, alice)["deleted"]; score < -1e15 || score >= 0 {
			t.Errorf("got score %f", score)
		}

		for _, id := range stale {
			setScore(t, u, id, -float64(time.Now().UnixMilli()-1000))
		}
		again := owned(alice, "deleted", 1, time.Hour)
		saveOwned(t, u, again)
		wantIDs(t, u, alice, "live", "deleted")
		wantEntries(t, u, map[string]time.Time{"live": live.Expiry, "deleted": again.Expiry})
		wantIDs(t, u, bob, "bob's")
	})
}

// RangeUser keeps the entry of a session that a save is about to store, however often it runs, and
// also if the save sets the same expiry as before.
func TestListingBetweenEntryAndSession(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		rec := owned(alice, "a", 1, time.Hour)
		expiry := expireAt(rec.Expiry)
		for range 2 {
			index := redis.NewIntCmd(background, "evalsha", addScript, 1, u.userKey(alice), "a", expiry)
			if err := u.send(background, index); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				wantIDs(t, u, alice)
			}
			save(t, u.sessions, rec)
			wantIDs(t, u, alice, "a")
			if err := u.Touch(background, rec); err != nil {
				t.Fatal(err)
			}
			wantEntries(t, u, map[string]time.Time{"a": rec.Expiry})
			if err := u.Delete(background, "a", driver.Always()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The entry that a heal has read may have changed since. The heal then leaves it alone.
func TestHealComparesTheScore(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		rec := owned(alice, "a", 1, time.Hour)
		saveOwned(t, u, rec)
		for _, read := range []string{"1", "-1", "1e999", "-inf", "nan", "", "x", "0x10"} {
			heal := redis.NewIntCmd(background,
				"evalsha", healScript, 1, u.userKey(alice), "a", read, "none", read)
			if err := u.send(background, heal); err != nil {
				t.Fatalf("%q: %v", read, err)
			}
			wantEntries(t, u, map[string]time.Time{"a": rec.Expiry})
		}
	})
}

// After a save or touch has returned, RangeUser finds the session, whatever others do.
func TestNoSessionIsMissing(t *testing.T) {
	onEachIndex(t, func(t *testing.T, u *users) {
		other := &users{newSessions(t, another(t, u.client), u.prefix)} // another process
		ctx, cancel := context.WithCancel(background)
		var listers, writers sync.WaitGroup
		for range 2 {
			listers.Go(func() {
				for ctx.Err() == nil {
					if err := firstErrorOf(other, alice); err != nil {
						t.Error(err)
					}
				}
			})
		}
		expiry := time.Now().Add(time.Hour)
		for w := range 4 {
			driverOf := []*users{u, other}[w%2]
			writers.Go(func() {
				id := fmt.Sprint(w)
				for range 40 {
					rec := owned(alice, id, 1, time.Hour)
					rec.Expiry = expiry // the same each time, so that the score is
					if err := driverOf.Save(background, rec, driver.Always()); err != nil {
						t.Error(err)
					}
					if !slices.Contains(idsOf(t, u), id) {
						t.Error("a saved session is missing")
					}
					if err := driverOf.Touch(background, rec); err != nil {
						t.Error(err)
					}
					if !slices.Contains(idsOf(t, other), id) {
						t.Error("a touched session is missing")
					}
					rec.User = ""
					if err := driverOf.Save(background, rec, driver.IfVersion(1)); err != nil {
						t.Error(err)
					}
					if slices.Contains(idsOf(t, u), id) {
						t.Error("a signed-out session is listed")
					}
				}
			})
		}
		writers.Wait()
		cancel()
		listers.Wait()
	})
}

// another returns a client of its own for the servers of c.
func another(t *testing.T, c redis.UniversalClient) redis.UniversalClient {
	t.Helper()
	var client redis.UniversalClient
	switch c := c.(type) {
	case *redis.Client:
		client = redis.NewClient(&redis.Options{Addr: c.Options().Addr, ContextTimeoutEnabled: true})
	case *redis.ClusterClient:
		client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Options().Addrs})
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
