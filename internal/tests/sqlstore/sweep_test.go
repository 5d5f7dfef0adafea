package sqlstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// bulk inserts n rows, many at a time.
func bulk(tb testing.TB, s *table, n int, row func(i int, v *values)) {
	tb.Helper()
	const mostOfTx = 50_000
	for i := 0; i < n; i += mostOfTx {
		bulkTx(tb, s, i, min(n, i+mostOfTx), row)
	}
}

// bulkTx inserts the rows from i to n in one transaction.
func bulkTx(tb testing.TB, s *table, i, n int, row func(i int, v *values)) {
	tb.Helper()
	const most, mostBytes = 500, 1 << 20
	tx, err := s.db.Begin()
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	for i < n {
		var text strings.Builder
		var args []any
		for end, size := min(n, i+most), 0; i < end && size < mostBytes; i++ {
			v := values{version: 1}
			row(i, &v)
			size += len(v.data)
			text.WriteString(", (")
			for column, arg := range []any{v.id, v.version, v.expiry, v.created, v.updated, v.data} {
				args = append(args, arg)
				text.WriteString([]string{"", ", "}[min(column, 1)] + s.dialect.placeholder(len(args)))
			}
			text.WriteString(")")
		}
		_, err := tx.Exec("INSERT INTO "+s.dialect.quoteName(s.name)+" (id, version, expiry, created, "+
			"updated, data) VALUES "+text.String()[2:], args...)
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// twoPools runs a test with two pools on one table, as two processes have them.
func twoPools(t *testing.T, test func(t *testing.T, a, b *table, c *clock)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path, c := filepath.Join(t.TempDir(), "test.db"), newClock()
		a := newTestTable(t, openFile(t, path), c)
		test(t, a, newTestTable(t, openFile(t, path), c), c)
	})
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			a := newServerTable(t, p.open(t), p.dialect, testenv.Name(t), c)
			test(t, a, another(t, a, p.open), c)
		})
	}
}

// A session that is renewed while a sweep goes on survives it.
func TestSweepRacesRenewal(t *testing.T) {
	twoPools(t, func(t *testing.T, a, b *table, c *clock) {
		const n = 100
		for i := range n {
			save(t, a, record(c, fmt.Sprint(i), 1, time.Minute))
		}
		c.advance(time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n {
				if _, err := b.Sweep(background, 3); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range n {
				if err := a.Save(background, record(c, fmt.Sprint(i), 2, time.Minute),
					driver.IfAbsent()); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		for i := range n {
			if got := load(t, a, fmt.Sprint(i)); got.Version != 2 {
				t.Errorf("%d: version %d", i, got.Version)
			}
		}
	})
}
