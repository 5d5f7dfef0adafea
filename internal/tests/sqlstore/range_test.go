package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// fill inserts n live records with the ids id0000000, id0000001 and so on.
func fill(t testing.TB, s *table, c *clock, n, size int) {
	t.Helper()
	now := c.now().UnixMicro()
	bulk(t, s, n, func(i int, v *values) {
		*v = values{
			id:      fmt.Appendf(nil, "id%07d", i),
			version: 1,
			expiry:  now + 3600e6,
			created: now,
			updated: now,
			data:    make([]byte, size),
		}
	})
}

func TestRangeWhileTheBodyWrites(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		s.db.SetMaxOpenConns(1) // so that the body blocks if Range holds a connection
		fill(t, s, c, 2500, 10)
		save(t, s, record(c, "expired", 1, 0))
		ctx, cancel := context.WithTimeout(background, time.Hour)
		defer cancel()
		seen := map[string]int{}
		for rec, err := range s.Range(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			seen[rec.ID]++
			if rec.ID[0] != 'i' {
				continue
			}
			if err := s.Delete(ctx, rec.ID, driver.Always()); err != nil {
				t.Fatal(err)
			}
			if len(seen)%5 == 0 {
				added := record(c, "a"+rec.ID, 1, time.Hour)
				if err := s.Save(ctx, added, driver.IfAbsent()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 2500 {
			id := fmt.Sprintf("id%07d", i)
			if seen[id] != 1 {
				t.Fatalf("Range yielded %s %d times, want once", id, seen[id])
			}
		}
		if seen["expired"] != 0 {
			t.Error("Range yielded an expired record")
		}
		n := 0
		for range s.Range(ctx) {
			n++
		}
		if n != 500 {
			t.Errorf("%d records are left, want 500", n)
		}
	})
}

// TestRangeOverLargeRecords checks that a page ends early when its data is large, and that the
// sequence continues with the next page.
func TestRangeOverLargeRecords(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		fill(t, s, c, 50, 300<<10)
		page, more, err := s.readPage(background, s.page,
			&values{id: []byte{}, limit: pageRecords, now: c.now().UnixMicro()})
		if err != nil || !more || len(page) != 4 {
			t.Errorf("a page of %d records, more %v, %v", len(page), more, err)
		}
		n := 0
		for rec, err := range s.Range(background) {
			if err != nil || len(rec.Data) != 300<<10 {
				t.Fatalf("%d bytes, %v", len(rec.Data), err)
			}
			n++
		}
		if n != 50 {
			t.Errorf("%d records, want 50", n)
		}
	})
}

func TestRangeEnds(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		for range s.Range(background) {
			t.Error("Range yielded a record of an empty table")
		}
		fill(t, s, c, 250, 1)
		for range s.Range(background) {
			break
		}
		for _, after := range []int{1, 99, 100, 101, 250} {
			ctx, cancel := context.WithCancel(background)
			n := 0
			var last error
			for _, err := range s.Range(ctx) {
				if last != nil {
					t.Fatal("the sequence continued after an error")
				}
				if last = err; err == nil {
					n++
				}
				if n == after {
					cancel()
				}
			}
			cancel()
			if after < 250 {
				want(t, "range", last, context.Canceled)
			}
			if n != after {
				t.Errorf("Range yielded %d records, cancelled after %d", n, after)
			}
		}
		if open := s.db.Stats().InUse; open != 0 {
			t.Errorf("%d connections are in use", open)
		}
		if err := s.DropSchema(background); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range s.Range(background) {
			n++
			if !errors.Is(err, driver.ErrNoSchema) {
				t.Errorf("got error %v", err)
			}
		}
		if n != 1 {
			t.Errorf("Range yielded %d times, want once", n)
		}
	})
}
