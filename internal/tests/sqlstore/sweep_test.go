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

// bulk inserts n rows, many per statement and transaction. row sets the values of row i.
func bulk(tb testing.TB, s *table, n int, row func(i int, v *values)) {
	tb.Helper()
	const rowsPerTx = 50_000
	for i := 0; i < n; i += rowsPerTx {
		bulkTx(tb, s, i, min(n, i+rowsPerTx), row)
	}
}

// bulkTx inserts the rows from i to n-1 in one transaction.
func bulkTx(tb testing.TB, s *table, i, n int, row func(i int, v *values)) {
	tb.Helper()
	const rowsPerStatement, bytesPerStatement = 500, 1 << 20
	tx, err := s.db.Begin()
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	for i < n {
		var text strings.Builder
		var args []any
		for end, size := min(n, i+rowsPerStatement), 0; i < end && size < bytesPerStatement; i++ {
			v := values{version: 1}
			row(i, &v)
			size += len(v.data)
			var places []string
			for _, arg := range []any{v.id, v.version, v.expiry, v.created, v.updated, v.get("user"),
				v.data} {
				args = append(args, arg)
				places = append(places, s.dialect.placeholder(len(args)))
			}
			text.WriteString(", (" + strings.Join(places, ", ") + ")")
		}
		insert := "INSERT INTO " + s.dialect.quoteName(s.name) +
			" (id, version, expiry, created, updated, user_hash, data) VALUES " + text.String()[len(", "):]
		if _, err := tx.Exec(insert, args...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// twoPools runs a test on each database with two pools on one table, like two processes.
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

// TestSweepRacesRenewal saves expired sessions again while another pool sweeps. None may get lost.
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
				renewed := record(c, fmt.Sprint(i), 2, time.Minute)
				if err := a.Save(background, renewed, driver.IfAbsent()); err != nil {
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
