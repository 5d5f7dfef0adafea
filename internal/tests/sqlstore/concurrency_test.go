package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// TestOneWinnerPerVersion has fifty goroutines replace the same version at once. Exactly one must
// succeed.
func TestOneWinnerPerVersion(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		oneWinner(t, c, 10, s)
	})
}

// TestOneWinnerPerVersionTwoPools uses two pools on one table, like two processes.
func TestOneWinnerPerVersionTwoPools(t *testing.T) {
	twoPools(t, func(t *testing.T, a, b *table, c *clock) {
		oneWinner(t, c, 10, a, b)
	})
}

func oneWinner(t *testing.T, c *clock, rounds int64, tables ...*table) {
	t.Helper()
	for version := range rounds {
		cond := driver.IfVersion(version)
		if version == 0 {
			cond = driver.IfAbsent()
		}
		var wins atomic.Int64
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				rec := record(c, "a", version+1, time.Hour)
				rec.Data = fmt.Append(nil, i)
				err := tables[i%len(tables)].Save(background, rec, cond)
				switch {
				case err == nil:
					wins.Add(1)
					winner.Store(string(rec.Data))
				case !errors.Is(err, driver.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("version %d: %d winners", version, wins.Load())
		}
		for _, s := range tables {
			if got := load(t, s, "a"); string(got.Data) != winner.Load() {
				t.Fatalf("the winner saved %v, but the table has %s", winner.Load(), got.Data)
			}
		}
	}
}

// TestBusyIsRetried writes to one file from two pools without busy_timeout, so that SQLite rejects
// a second writer at once. No operation may fail or get lost.
func TestBusyIsRetried(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	c := newClock()
	newTestTable(t, openFile(t, path), c)
	var tables []*table
	for range 2 {
		tables = append(tables, newTestTable(t, open(t, "file:"+path), c))
	}
	save(t, tables[0], record(c, "counter", 1, time.Hour))
	var wg sync.WaitGroup
	for i := range 20 {
		s := tables[i%2]
		wg.Go(func() {
			for range 5 {
				for {
					rec, err := s.Load(background, "counter")
					if err != nil {
						t.Error(err)
						return
					}
					held := rec.Version
					rec.Version++
					err = s.Save(background, rec, driver.IfVersion(held))
					if err == nil {
						break
					}
					if !errors.Is(err, driver.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
			own := record(c, fmt.Sprint(i), 1, time.Hour)
			if err := s.Save(background, own, driver.IfAbsent()); err != nil {
				t.Error(err)
			}
			if err := s.Delete(background, own.ID, driver.Always()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := load(t, tables[0], "counter"); got.Version != 101 {
		t.Errorf("the counter is at %d, want 101", got.Version)
	}
}

// lock holds the write lock of a database until the returned function is called.
func lock(t *testing.T, db *sql.DB) (release func()) {
	t.Helper()
	conn, err := db.Conn(background)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(background, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(background, "ROLLBACK"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestContextEndsWhileLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	c := newClock()
	s := newTestTable(t, openFile(t, path), c)
	save(t, s, record(c, "a", 1, time.Hour))
	release := lock(t, openFile(t, path))
	defer release()

	if got := load(t, s, "a"); got.Version != 1 { // readers do not wait
		t.Errorf("version %d", got.Version)
	}

	ctx, cancel := context.WithCancel(background)
	queued := make(chan error)
	for range 3 { // one waits for SQLite's lock, the others for their turn
		go func() { queued <- s.Save(ctx, record(c, "a", 2, time.Hour), driver.IfVersion(1)) }()
	}
	short, cancelShort := context.WithTimeout(background, 20*time.Millisecond)
	defer cancelShort()
	want(t, "touch", s.Touch(short, touchTo("a", 1, c.now().Add(time.Hour))), context.DeadlineExceeded)
	cancel()
	for range 3 { // all return although the lock is still held
		want(t, "save", <-queued, context.Canceled)
	}

	release()
	if err := s.Touch(background, touchTo("a", 1, c.now().Add(time.Hour))); err != nil {
		t.Error(err)
	}
}

// TestContextEndsWhileRunning ends contexts at arbitrary moments. Later operations on the same
// connections must not be interrupted, and must be able to read and write.
func TestContextEndsWhileRunning(t *testing.T) {
	t.Parallel()
	onEachSQLite(t, func(t *testing.T, s *table, c *clock) {
		fill(t, s, c, 2000, 200)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 50 {
					ctx, cancel := context.WithTimeout(background, time.Duration(i)*20*time.Microsecond)
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
					if _, err := s.Load(background, "id0000001"); err != nil {
						t.Error(err)
					}
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

// TestStaleConnectionIsReplaced uses a connection on which a transaction was left open. After
// another connection has written, every write on the first one fails, and the store replaces it.
func TestStaleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	c := newClock()
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	s := newTestTable(t, db, c)
	save(t, s, record(c, "a", 1, time.Hour))
	if _, err := db.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	load(t, s, "a")
	other := newTestTable(t, openFile(t, path), c)
	save(t, other, record(c, "a", 2, time.Hour))

	ctx, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	if err := s.Save(ctx, record(c, "a", 3, time.Hour), driver.IfVersion(2)); err != nil {
		t.Fatal(err)
	}
	if got := load(t, other, "a"); got.Version != 3 {
		t.Errorf("version %d", got.Version)
	}
}

// TestStatementsArePreparedOnce checks that concurrent first calls get the same statement.
func TestStatementsArePreparedOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newTestTable(t, openFile(t, filepath.Join(t.TempDir(), "test.db")), c)
	got := make(chan *sql.Stmt)
	for range 20 {
		go func() {
			p, err := s.load.prepared(background, s.db)
			if err != nil {
				t.Error(err)
			}
			got <- p
		}()
	}
	first := <-got
	for range 19 {
		if p := <-got; p != first {
			t.Error("a second prepared statement is in use")
		}
	}
	var data []byte // the query fails with another error if the statement has been closed
	want(t, "query", first.QueryRow([]byte("a"), int64(0)).Scan(&data), sql.ErrNoRows)
}
