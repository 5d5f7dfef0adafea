package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// locked calls f with a transaction that stays open until release is called.
func locked(t *testing.T, db *sql.DB, f func(tx *sql.Tx) error) (release func()) {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = tx.Rollback() })
	t.Cleanup(release)
	if err := f(tx); err != nil {
		t.Fatal(err)
	}
	return release
}

// TestLockedRowIsWaitedFor saves a row that another transaction has locked. The store waits until
// the context ends, even if the server's own limit is shorter. Reads, and writes of other rows, do
// not wait.
func TestLockedRowIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		dialect Dialect
		open    func(testing.TB) *sql.DB
		wait    time.Duration // longer than the server's limit
	}{
		{"postgresql", PostgreSQL(), func(tb testing.TB) *sql.DB {
			return openPostgres(tb, func(config *pgx.ConnConfig) {
				config.RuntimeParams["lock_timeout"] = "20ms"
			})
		}, 200 * time.Millisecond},
		{"mysql", MySQL(), func(tb testing.TB) *sql.DB {
			return openMySQL(tb, func(config *mysql.Config) {
				config.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
			})
		}, 2500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := newServerTable(t, tc.open(t), tc.dialect, testenv.Name(t), c)
			save(t, s, record(c, "a", 1, time.Hour))
			save(t, s, record(c, "b", 1, time.Hour))
			holder := another(t, s, tc.open)
			release := locked(t, holder.db, func(tx *sql.Tx) error {
				_, err := tx.Exec("UPDATE " + s.dialect.quoteName(s.name) +
					" SET version = 2 WHERE updated > 0 AND id = 'a'")
				return err
			})

			begin := time.Now()
			ctx, cancel := context.WithTimeout(background, tc.wait)
			defer cancel()
			err := s.Save(ctx, record(c, "a", 3, time.Hour), driver.IfVersion(1))
			want(t, "save", err, context.DeadlineExceeded)
			if took := time.Since(begin); took < tc.wait {
				t.Errorf("save returned after %v, before its deadline", took)
			}
			if got := load(t, s, "a"); got.Version != 1 {
				t.Errorf("version %d", got.Version)
			}
			if err := s.Touch(background, touchTo("b", 1, c.now().Add(2*time.Hour))); err != nil {
				t.Error(err)
			}
			saved := make(chan error)
			go func() {
				saved <- s.Save(background, record(c, "a", 3, time.Hour), driver.IfVersion(1))
			}()
			release()
			// MySQL may still execute the first save when the row is unlocked.
			if err := <-saved; err != nil && (tc.name != "mysql" || !errors.Is(err, driver.ErrConflict)) {
				t.Error(err)
			}
			if got := load(t, s, "a"); got.Version != 3 {
				t.Errorf("version %d", got.Version)
			}
		})
	}
}

// TestSweepBlocksNobody reads and writes while a sweep is not committed. On PostgreSQL, another
// sweep deletes the remaining rows meanwhile.
func TestSweepBlocksNobody(t *testing.T) {
	t.Parallel()
	for _, p := range servers {
		if p.ownDatabase {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := newServerTable(t, p.open(t), p.dialect, testenv.Name(t), c)
			for i := range 20 {
				save(t, s, record(c, fmt.Sprint("expired", i), 1, time.Minute+time.Duration(i)))
			}
			for i := range 20 {
				ttl := time.Hour + time.Duration(i)*time.Second
				save(t, s, record(c, fmt.Sprint("live", i), 1, ttl))
			}
			c.advance(2 * time.Minute)
			release := locked(t, s.db, func(tx *sql.Tx) error {
				_, err := tx.Exec(s.sweep.text, s.sweep.args(&values{now: s.micros(), limit: 10})...)
				return err
			})
			ctx, cancel := context.WithTimeout(background, 5*time.Minute)
			defer cancel()
			for i := range 20 {
				_, err := s.Load(ctx, fmt.Sprint("expired", i))
				want(t, "load of an expired record", err, driver.ErrNotFound)
				live := fmt.Sprint("live", i)
				if _, err := s.Load(ctx, live); err != nil {
					t.Error(err)
				}
				if err := s.Touch(ctx, touchTo(live, 1, c.now().Add(2*time.Hour))); err != nil {
					t.Error(err)
				}
			}
			if err := s.Save(ctx, record(c, "new", 1, time.Minute), driver.IfAbsent()); err != nil {
				t.Error(err)
			}
			n := 0
			for _, err := range s.Range(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 21 {
				t.Errorf("Range yielded %d records, want 21", n)
			}
			if p.dialect.name == "postgresql" {
				if n, err := s.Sweep(ctx, 100); n != 10 || err != nil {
					t.Errorf("swept %d, %v, want 10", n, err)
				}
			}
			release()
			if n, err := s.Sweep(ctx, 100); err != nil || n < 10 {
				t.Errorf("swept %d, %v, want at least 10", n, err)
			}
		})
	}
}

// TestContextEndsOnServer ends contexts at arbitrary moments. Other operations must still succeed.
func TestContextEndsOnServer(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *table, c *clock) {
		fill(t, s, c, 200, 200)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 25 {
					ctx, cancel := context.WithTimeout(background, time.Duration(i)*100*time.Microsecond)
					err := s.Save(ctx, record(c, fmt.Sprint(g), 1, time.Hour), driver.Always())
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					for _, err := range s.Range(ctx) {
						if err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
					}
					cancel()
					if err := s.Touch(background, touchTo("id0000001", 1, c.now().Add(time.Hour))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if open := s.db.Stats().InUse; open != 0 {
			t.Errorf("%d connections are in use", open)
		}
	})
}

// TestLargeData saves much more than the 64 KB that a BLOB of MySQL can hold.
func TestLargeData(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *table, c *clock) {
		for i, size := range []int{1<<16 - 1, 1 << 16, 2_000_000, 8 << 20} {
			rec := record(c, "a", int64(i+1), time.Hour)
			rec.Data = bytes.Repeat([]byte{0, 0xff, '\'', '\\', 'x', '\n', 0x80}, size/7+1)[:size]
			if err := s.Save(background, rec, driver.Always()); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if got := load(t, s, "a"); !equal(got, rec) {
				t.Errorf("load of %d bytes returned another record than was saved", size)
			}
		}
	})
}

// TestMySQLTooLarge saves more than max_allowed_packet. The error must match driver.ErrTooLarge,
// and the stored record must stay.
func TestMySQLTooLarge(t *testing.T) {
	t.Parallel()
	db := openMySQL(t, nil)
	var limit int
	if err := db.QueryRow("SELECT @@max_allowed_packet").Scan(&limit); err != nil {
		t.Fatal(err)
	}
	c := newClock()
	s := newServerTable(t, db, MySQL(), testenv.Name(t), c)
	save(t, s, record(c, "a", 1, time.Hour))
	for _, size := range []int{limit - 1, limit, limit + 1, limit + 1<<20} {
		rec := record(c, "a", 2, time.Hour)
		rec.Data = bytes.Repeat([]byte("secret"), size/6+1)[:size]
		err := s.Save(background, rec, driver.Always())
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error("the error contains session data")
		}
		want(t, fmt.Sprintf("save of limit%+d bytes", size-limit), err, driver.ErrTooLarge)
	}
	if got := load(t, s, "a"); got.Version != 1 {
		t.Errorf("version %d", got.Version)
	}
}
