package memstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

func ids(t testing.TB, m *memory) []string {
	t.Helper()
	got := []string{}
	for rec, err := range m.Range(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rec.ID)
	}
	slices.Sort(got)
	return got
}

func TestRangeWhileTheBodyWrites(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	ctx := context.Background()
	for i := range 2500 {
		save(t, m, record(c, fmt.Sprint("keep", i), 1, time.Hour))
		save(t, m, record(c, fmt.Sprint("drop", i), 1, time.Hour))
	}
	save(t, m, record(c, "expired", 1, 0))
	seen := map[string]int{}
	i := 0
	for rec, err := range m.Range(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		seen[rec.ID]++
		err = m.Delete(ctx, fmt.Sprint("drop", i%2500), driver.Always())
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			t.Fatal(err)
		}
		if i < 10_000 { // the map grows during the iteration
			save(t, m, record(c, fmt.Sprint("new", i), 1, time.Hour))
		}
		i++
	}
	for i := range 2500 {
		if n := seen[fmt.Sprint("keep", i)]; n != 1 {
			t.Fatalf("Range yielded keep%d %d times, want once", i, n)
		}
	}
	if seen["expired"] != 0 {
		t.Error("Range yielded an expired record")
	}
	consistent(t, m)
}

func TestRangeReleasesTheLock(t *testing.T) {
	t.Parallel()
	m, c := newMemory(t, 0)
	for i := range 3 {
		save(t, m, record(c, fmt.Sprint(i), 1, time.Hour))
	}
	for range m.Range(context.Background()) {
		break
	}
	func() {
		defer func() { _ = recover() }()
		for range m.Range(context.Background()) {
			panic("body")
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, err := range m.Range(ctx) {
		if n++; n == 1 {
			cancel()
			continue
		}
		want(t, "range", err, context.Canceled)
	}
	if n != 2 {
		t.Errorf("Range yielded %d times, want twice", n)
	}
	if !m.mu.TryLock() {
		t.Fatal("Range holds the lock after it has ended")
	}
	m.mu.Unlock()
}
