package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/scskit/scskit/driver"
)

func TestRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		_, err := s.Load(background, "a")
		want(t, "load of no record", err, driver.ErrNotFound)

		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for name, data := range map[string][]byte{
			"nil":        nil,
			"empty":      {},
			"every byte": every,
			"sql":        []byte("'); DROP TABLE sessions; --"),
			"1 MiB":      bytes.Repeat([]byte{0, 0xff, 'x', '\''}, 1<<18),
		} {
			rec := record(c, "a", 7, time.Hour)
			rec.Data = data
			rec.Expiry = rec.Expiry.In(time.FixedZone("east", 3600))
			save(t, s, rec)
			got := load(t, s, "a")
			if !equal(got, rec) {
				t.Errorf("%s: load returned another record than was saved", name)
			}
			if got.Expiry.Location() != time.UTC {
				t.Errorf("the expiry is in %v, want UTC", got.Expiry.Location())
			}
		}
	})
}

func TestTimes(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		rec := record(c, "a", 1, time.Hour)
		rec.Expiry = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		rec.Created = time.Date(2039, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
		rec.Updated = time.Time{}
		save(t, s, rec)
		got := load(t, s, "a")
		expiry := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
		if !got.Expiry.Equal(expiry) {
			t.Errorf("expiry %v, want %v", got.Expiry, expiry)
		}
		created := time.Date(2039, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
		if !got.Created.Equal(created) {
			t.Errorf("created %v, want %v", got.Created, created)
		}
		if !got.Updated.IsZero() {
			t.Errorf("updated %v, want zero", got.Updated)
		}

		// A record lives until its expiry, rounded down to the microsecond.
		save(t, s, record(c, "b", 1, 1500*time.Microsecond+999))
		c.advance(1499 * time.Microsecond)
		load(t, s, "b")
		c.advance(time.Microsecond + 999)
		_, err := s.Load(background, "b")
		want(t, "load at expiry", err, driver.ErrNotFound)
	})
}

func TestConditions(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		type state string
		const (
			absent  state = "absent"
			live    state = "live"
			expired state = "expired"
		)
		for i, tc := range []struct {
			state state
			cond  driver.Condition
			want  error
		}{
			{absent, driver.Always(), nil},
			{absent, driver.IfAbsent(), nil},
			{absent, driver.IfVersion(1), driver.ErrConflict},
			{live, driver.Always(), nil},
			{live, driver.IfAbsent(), driver.ErrConflict},
			{live, driver.IfVersion(1), nil},
			{live, driver.IfVersion(2), driver.ErrConflict},
			{expired, driver.Always(), nil},
			{expired, driver.IfAbsent(), nil},
			{expired, driver.IfVersion(1), driver.ErrConflict},
		} {
			what := fmt.Sprintf("%s, %+v", tc.state, tc.cond)
			id := fmt.Sprint(i)
			before := record(c, id, 1, time.Minute)
			if tc.state != absent {
				save(t, s, before)
			}
			c.advance(30 * time.Second)
			if tc.state == expired {
				c.advance(30 * time.Second)
			}
			rec := record(c, id, 9, time.Hour)
			rec.Data = []byte("new")
			err := s.Save(background, rec, tc.cond)
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: got error %v, want %v", what, err, tc.want)
			}
			if tc.state == live {
				rec.Created = before.Created
				if err != nil {
					rec = before
				}
			} else if err != nil {
				_, err := s.Load(background, id)
				want(t, what, err, driver.ErrNotFound)
				continue
			}
			if got := load(t, s, id); !equal(got, rec) {
				t.Errorf("%s: got %+v, want %+v", what, got, rec)
			}
		}
	})
}

func TestTouch(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		inAnHour := c.now().Add(time.Hour)
		want(t, "touch of no record", s.Touch(background, touchTo("a", 1, inAnHour)), driver.ErrConflict)
		_, err := s.Load(background, "a")
		want(t, "load after a touch of no record", err, driver.ErrNotFound)

		rec := record(c, "a", 1, time.Minute)
		save(t, s, rec)
		want(t, "touch of another version", s.Touch(background, touchTo("a", 2, inAnHour)),
			driver.ErrConflict)
		for range 2 { // the second one changes nothing
			if err := s.Touch(background, touchTo("a", 1, inAnHour)); err != nil {
				t.Fatal(err)
			}
		}
		rec.Expiry, rec.Seen = inAnHour, touchTo("a", 1, inAnHour).Seen
		c.advance(time.Hour - time.Microsecond)
		if got := load(t, s, "a"); !equal(got, rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
		c.advance(time.Microsecond)
		err = s.Touch(background, touchTo("a", 1, c.now().Add(time.Hour)))
		want(t, "touch of an expired record", err, driver.ErrConflict)
		_, err = s.Load(background, "a")
		want(t, "load of an expired record", err, driver.ErrNotFound)
	})
}

func TestDelete(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		want(t, "delete of no record", s.Delete(background, "a", driver.Always()), driver.ErrNotFound)
		save(t, s, record(c, "a", 1, time.Hour))
		save(t, s, record(c, "b", 1, time.Hour))
		if err := s.Delete(background, "a", driver.Always()); err != nil {
			t.Fatal(err)
		}
		want(t, "second delete", s.Delete(background, "a", driver.Always()), driver.ErrNotFound)
		_, err := s.Load(background, "a")
		want(t, "load", err, driver.ErrNotFound)
		load(t, s, "b")
	})
}

func TestIDsAreBytes(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		ids := []string{
			"", "a", "A", "a ", " a", "a\x00", "\x00", "\x00a", "a\x00b", "a\n", "\xff", "\xff\x00",
			"\xff\xff", "\xc3",
			"é", "e\u0301", "ß", "ss", "ı", "i", "I", "İ", "0", "00", "0x61", "1e0", "1",
			"%", "_", "a%", "*", "?", "[a]", `a"`, "'", "''",
			"' OR '1'='1", "a'; DROP TABLE sessions; --", "NULL", "\ufeffa", "\U0001f600",
			strings.Repeat("x", 512), strings.Repeat("x", 511), strings.Repeat("\xff", 512),
		}
		for i, id := range ids {
			rec := record(c, id, int64(i+1), time.Hour)
			if err := s.Save(background, rec, driver.IfAbsent()); err != nil {
				t.Fatalf("save %q: %v", id, err)
			}
		}
		seen := map[string]int{}
		for rec, err := range s.Range(background) {
			if err != nil {
				t.Fatal(err)
			}
			seen[rec.ID]++
		}
		for i, id := range ids {
			if got := load(t, s, id); got.Version != int64(i+1) || got.ID != id {
				t.Errorf("%q: got %q, version %d", id, got.ID, got.Version)
			}
			if seen[id] != 1 {
				t.Errorf("Range yielded %q %d times, want once", id, seen[id])
			}
		}
		for _, id := range ids {
			if err := s.Delete(background, id, driver.Always()); err != nil {
				t.Errorf("delete %q: %v", id, err)
			}
		}
	})
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	db := openMemory(t)
	c := newClock()
	s := newTestTable(t, db, c)
	save(t, s, record(c, "a", 1, time.Hour))

	const limitLength = 0 // SQLITE_LIMIT_LENGTH
	conn, err := db.Conn(background)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Limit(conn, limitLength, 10_000); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}

	// The first size is too large only together with the other columns.
	for _, size := range []int{9_990, 10_001, 50_000} {
		rec := record(c, "a", 2, time.Hour)
		rec.Data = bytes.Repeat([]byte("secret"), size)[:size]
		for _, cond := range []driver.Condition{driver.Always(), driver.IfVersion(1)} {
			err := s.Save(background, rec, cond)
			want(t, "save", err, driver.ErrTooLarge)
			var large *driver.TooLargeError
			if !errors.As(err, &large) || large.Size != size || large.Limit >= size {
				t.Errorf("got %#v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the error contains session data")
			}
		}
	}
	if got := load(t, s, "a"); got.Version != 1 || string(got.Data) != "data of a" {
		t.Errorf("the stored record changed: %+v", got)
	}
}

func TestEndedContext(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		save(t, s, record(c, "a", 1, time.Hour))
		cancelled, cancel := context.WithCancel(background)
		cancel()
		overdue, cancel := context.WithDeadline(background, time.Now().Add(-time.Second))
		defer cancel()
		for _, ctx := range []context.Context{cancelled, overdue} {
			_, loadErr := s.Load(ctx, "a")
			_, sweepErr := s.Sweep(ctx, 1)
			var rangeErr error
			for _, err := range s.Range(ctx) {
				rangeErr = err
			}
			var userErr error
			for _, err := range s.RangeUser(ctx, "user of a") {
				userErr = err
			}
			for op, err := range map[string]error{
				"load":          loadErr,
				"save":          s.Save(ctx, record(c, "a", 2, time.Hour), driver.Always()),
				"touch":         s.Touch(ctx, touchTo("a", 1, c.now())),
				"delete":        s.Delete(ctx, "a", driver.Always()),
				"range":         rangeErr,
				"range user":    userErr,
				"sweep":         sweepErr,
				"create schema": s.CreateSchema(ctx),
				"check schema":  s.CheckSchema(ctx),
				"drop schema":   s.DropSchema(ctx),
			} {
				want(t, op, err, ctx.Err())
				if text := "sqlstore: " + op + ": " + ctx.Err().Error(); err != nil && err.Error() != text {
					t.Errorf("got %q, want %q", err, text)
				}
			}
		}
		if got := load(t, s, "a"); got.Version != 1 {
			t.Errorf("version %d", got.Version)
		}
	})
}

func TestSweep(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		for i := range 25 {
			save(t, s, record(c, fmt.Sprint("expired", i), 1, time.Minute))
		}
		save(t, s, record(c, "live", 1, time.Hour))
		save(t, s, record(c, "renewed", 1, time.Minute))
		if err := s.Touch(background, touchTo("renewed", 1, c.now().Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Minute)
		for _, tc := range []struct{ limit, want int }{
			{0, 0}, {-1, 0}, {10, 10}, {10, 10}, {10, 5}, {10, 0},
		} {
			if got, err := s.Sweep(background, tc.limit); err != nil || got != tc.want {
				t.Errorf("swept %d, %v, want %d", got, err, tc.want)
			}
		}
		if rows := countRows(t, s); rows != 2 {
			t.Errorf("%d rows are left, want 2", rows)
		}
		load(t, s, "live")
		load(t, s, "renewed")
	})
}
