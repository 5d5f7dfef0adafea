package memstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// clock is a clock that only advance moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }

func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newMemory(t testing.TB, limit int) (*memory, *clock) {
	t.Helper()
	c := newClock()
	d, err := newDriver(&Options{Options: scskit.Options{Now: c.now}, MaxSessions: limit})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*memory), c
}

func record(c *clock, id string, version int64, ttl time.Duration) driver.Record {
	now := c.now()
	return driver.Record{
		ID:      id,
		Data:    []byte("data of " + id),
		Expiry:  now.Add(ttl),
		Created: now,
		Updated: now,
		Version: version,
	}
}

func save(t testing.TB, m *memory, rec driver.Record) {
	t.Helper()
	if err := m.Save(context.Background(), rec, driver.Always()); err != nil {
		t.Fatalf("save %q: %v", rec.ID, err)
	}
}

func want(t testing.TB, what string, got, target error) {
	t.Helper()
	if !errors.Is(got, target) {
		t.Errorf("%s: got error %v, want %v", what, got, target)
	}
}

// consistent checks that the maps and the heaps have the same entries.
func consistent(t testing.TB, m *memory) {
	t.Helper()
	m.mu.RLock()
	defer m.mu.RUnlock()
	if n := len(m.anonymous) + len(m.owned); len(m.records) != n {
		t.Fatalf("the map has %d entries, the heaps %d", len(m.records), n)
	}
	for _, h := range []*expiryHeap{&m.anonymous, &m.owned} {
		for i, e := range *h {
			_, indexed := m.users[e.User][e]
			if e.index != i || m.records[e.ID] != e || m.heapOf(e) != h || indexed != (h == &m.owned) {
				t.Fatalf("entry %q of %q at %d has index %d", e.ID, e.User, i, e.index)
			}
			if i > 0 && h.Less(i, (i-1)/2) {
				t.Fatalf("the heap order is broken at %d", i)
			}
		}
	}
	owned := 0
	for user, entries := range m.users {
		if owned += len(entries); len(entries) == 0 {
			t.Fatalf("user %q has no entries", user)
		}
	}
	if owned != len(m.owned) {
		t.Fatalf("the users have %d entries, the heap %d", owned, len(m.owned))
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	const text = "memstore: Options.MaxSessions is -1: it must not be negative"
	if _, err := New(&Options{MaxSessions: -1}); err == nil || err.Error() != text {
		t.Errorf("got error %v, want %s", err, text)
	}
	if _, err := New(&Options{Options: scskit.Options{MaxSize: -1}}); err == nil {
		t.Error("New accepts a negative MaxSize")
	}
	d, err := newDriver(new(Options))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.(*memory).max; got != 1_000_000 {
		t.Errorf("the default of MaxSessions is %d", got)
	}
}

func TestRecordIsCopied(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	ctx := context.Background()
	id := []byte("a")
	rec := record(c, string(id), 1, time.Hour)
	rec.Expiry = rec.Expiry.In(time.FixedZone("east", 3600))
	save(t, m, rec)
	rec.Data[0] = 'X'

	for range 2 {
		got, err := m.Load(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != "data of a" || got.Version != 1 || !got.Expiry.Equal(rec.Expiry) ||
			got.Expiry.Location() != time.UTC {
			t.Fatalf("got %+v", got)
		}
		got.Data[0] = 'Y'
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	type state string
	const (
		absent  state = "absent"
		live    state = "live"
		expired state = "expired"
	)
	for _, tc := range []struct {
		state state
		cond  driver.Condition
		want  error
	}{
		{absent, driver.Always(), nil},
		{absent, driver.IfAbsent(), nil},
		{absent, driver.IfVersion(1), driver.ErrNotFound},
		{live, driver.Always(), nil},
		{live, driver.IfAbsent(), driver.ErrConflict},
		{live, driver.IfVersion(1), nil},
		{live, driver.IfVersion(2), driver.ErrConflict},
		{expired, driver.Always(), nil},
		{expired, driver.IfAbsent(), nil},
		{expired, driver.IfVersion(1), driver.ErrNotFound},
	} {
		t.Run(fmt.Sprintf("%s/%+v", tc.state, tc.cond), func(t *testing.T) {
			m, c := newMemory(t, 0)
			first := c.now()
			if tc.state != absent {
				save(t, m, record(c, "a", 1, time.Minute))
			}
			c.advance(30 * time.Second)
			if tc.state == expired {
				c.advance(time.Minute)
			}
			rec := record(c, "a", 9, time.Hour)
			err := m.Save(context.Background(), rec, tc.cond)
			want(t, "save", err, tc.want)
			consistent(t, m)
			if err != nil {
				return
			}
			got, err := m.Load(context.Background(), "a")
			if err != nil || got.Version != 9 || !got.Updated.Equal(rec.Updated) {
				t.Fatalf("got %+v, %v", got, err)
			}
			created := c.now()
			if tc.state == live {
				created = first
			}
			if !got.Created.Equal(created) {
				t.Errorf("created %v, want %v", got.Created, created)
			}
		})
	}
}

func TestTouchAndDelete(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	ctx := context.Background()
	want(t, "touch of no record", m.Touch(ctx, touchTo("a", 1, c.now().Add(time.Hour))),
		driver.ErrNotFound)
	want(t, "delete of no record", m.Delete(ctx, "a", driver.Always()), driver.ErrNotFound)

	rec := record(c, "a", 1, time.Minute)
	save(t, m, rec)
	want(t, "touch of another version", m.Touch(ctx, touchTo("a", 2, c.now().Add(time.Hour))),
		driver.ErrConflict)
	if err := m.Touch(ctx, touchTo("a", 1, c.now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour - 1)
	got, err := m.Load(ctx, "a")
	if err != nil || got.Version != 1 || !got.Updated.Equal(rec.Updated) ||
		!got.Created.Equal(rec.Created) {
		t.Fatalf("got %+v, %v", got, err)
	}

	c.advance(1) // now is the expiry exactly
	_, err = m.Load(ctx, "a")
	want(t, "load at expiry", err, driver.ErrNotFound)
	want(t, "touch at expiry", m.Touch(ctx, touchTo("a", 1, c.now().Add(time.Hour))),
		driver.ErrNotFound)

	save(t, m, record(c, "b", 1, time.Minute))
	if err := m.Delete(ctx, "b", driver.Always()); err != nil {
		t.Fatal(err)
	}
	_, err = m.Load(ctx, "b")
	want(t, "load of a deleted record", err, driver.ErrNotFound)
	consistent(t, m)
}

func TestEviction(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 3)
	ctx := context.Background()
	save(t, m, record(c, "a", 1, 10*time.Minute))
	save(t, m, record(c, "b", 1, 20*time.Minute))
	save(t, m, record(c, "c", 1, 30*time.Minute))
	if err := m.Touch(ctx, touchTo("a", 1, c.now().Add(40*time.Minute))); err != nil {
		t.Fatal(err)
	}
	save(t, m, record(c, "c", 2, 30*time.Minute)) // replaces c, evicts nothing
	save(t, m, record(c, "d", 1, time.Minute))    // evicts b, which is now closest to expiry
	if got := ids(t, m); !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("the store has %q", got)
	}
	c.advance(2 * time.Minute) // d expires, and is evicted first
	save(t, m, record(c, "e", 1, time.Second))
	if got := ids(t, m); !slices.Equal(got, []string{"a", "c", "e"}) {
		t.Errorf("the store has %q", got)
	}
	consistent(t, m)
}

// An anonymous flood evicts other anonymous sessions, and no session of a user.
func TestFlood(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 10)
	for i := range 8 {
		rec := record(c, fmt.Sprint("user", i), 1, time.Minute)
		rec.User = fmt.Sprint(i % 3)
		save(t, m, rec)
	}
	for i := range 1000 {
		save(t, m, record(c, fmt.Sprint("flood", i), 1, time.Hour))
	}
	consistent(t, m)
	rec := record(c, "user8", 1, time.Second)
	rec.User = "0"
	save(t, m, rec)
	c.advance(10 * time.Second) // user8 expires, and is evicted before any other
	rec.ID, rec.Expiry = "user9", c.now().Add(time.Minute)
	save(t, m, rec)
	consistent(t, m)
	got := ids(t, m)
	want := []string{"user0", "user1", "user2", "user3", "user4", "user5", "user6", "user7", "user9"}
	if len(got) != 10 || !slices.Equal(got[1:], want) {
		t.Errorf("the store has %q", got)
	}
}

func TestWritesReclaimMemory(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	for i := range 1000 {
		save(t, m, record(c, fmt.Sprint("old", i), 1, time.Minute))
	}
	c.advance(time.Minute)
	for i := range 250 {
		save(t, m, record(c, fmt.Sprint("new", i), 1, time.Hour))
	}
	if got := len(m.records); got != 250 {
		t.Errorf("the store has %d records, want 250", got)
	}
	consistent(t, m)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	ctx := context.Background()
	for i := range 25 {
		save(t, m, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	save(t, m, record(c, "live", 1, time.Hour))
	c.advance(time.Minute)
	for _, want := range []int{10, 10, 5, 0} {
		if got, err := m.Sweep(ctx, 10); err != nil || got != want {
			t.Errorf("swept %d, %v, want %d", got, err, want)
		}
	}
	if got := ids(t, m); !slices.Equal(got, []string{"live"}) {
		t.Errorf("the store has %q", got)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, loadErr := m.Load(ctx, "a")
	_, sweepErr := m.Sweep(ctx, 1)
	var rangeErr error
	for _, err := range m.Range(ctx) {
		rangeErr = err
	}
	for op, err := range map[string]error{
		"load":   loadErr,
		"save":   m.Save(ctx, record(c, "a", 1, time.Hour), driver.Always()),
		"touch":  m.Touch(ctx, touchTo("a", 1, c.now())),
		"delete": m.Delete(ctx, "a", driver.Always()),
		"range":  rangeErr,
		"sweep":  sweepErr,
	} {
		want(t, op, err, context.Canceled)
		if text := "memstore: " + op + ": context canceled"; err != nil && err.Error() != text {
			t.Errorf("got %q, want %q", err, text)
		}
	}
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}

// TestRenewalWhenFull renews sessions while the store is full. The session that is renewed is
// spared, although it is the first to go otherwise.
func TestRenewalWhenFull(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, user := range []string{"", "alice"} {
		m, c := newMemory(t, 3)
		now := c.now()
		save := func(id, user, replaces string, life time.Duration) {
			t.Helper()
			want(t, "save", m.Save(ctx, driver.Record{
				ID: id, User: user, Replaces: replaces, Version: 1, Expiry: now.Add(life),
			}, driver.IfAbsent()), nil)
		}
		save("old", user, "", time.Hour)
		save("one", "bob", "", 2*time.Hour)
		save("two", "carol", "", 3*time.Hour)
		save("new", "alice", "old", time.Hour)
		for id, err := range map[string]error{
			"old": nil, "new": nil, "one": driver.ErrNotFound, "two": nil,
		} {
			_, got := m.Load(ctx, id)
			want(t, "load of "+id+" with the user "+user, got, err)
		}
	}
	m, c := newMemory(t, 1)
	for _, rec := range []driver.Record{
		{ID: "old", Version: 1, Expiry: c.now().Add(time.Hour)},
		{ID: "new", Version: 1, Expiry: c.now().Add(time.Hour), Replaces: "old"},
	} {
		want(t, "save in a store of one", m.Save(ctx, rec, driver.IfAbsent()), nil)
	}
}
