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

// Fifty goroutines replace the same version at once: one of them must win, each time.
func TestOneWinnerPerVersion(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		oneWinner(t, c, 10, s)
	})
}

// As above, with two pools on one table, as two processes have.
func TestOneWinnerPerVersionOfTwoPools(t *testing.T) {
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
				t.Fatalf("the winner saved %v, and there is %s", winner.Load(), got.Data)
			}
		}
	}
}

// Two pools without a busy_timeout write to one file: SQLite refuses at once
// whoever comes second, and still no operation fails and none is lost.
func TestBusyIsWaitedFor(t *testing.T) {
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
			if err := s.Save(background, record(c, fmt.Sprint(i), 1, time.Hour),
				driver.IfAbsent()); err != nil {
				t.Error(err)
			}
			if err := s.Delete(background, fmt.Sprint(i)); err != nil {
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

	if got := load(t, s, "a"); got.Version != 1 { // reading goes on
		t.Errorf("version %d", got.Version)
	}

	ctx, cancel := context.WithCancel(background)
	queued := make(chan error)
	for range 3 { // one waits for SQLite, the others for their turn
		go func() { queued <- s.Save(ctx, record(c, "a", 2, time.Hour), driver.IfVersion(1)) }()
	}
	short, cancelShort := context.WithTimeout(background, 20*time.Millisecond)
	defer cancelShort()
	want(t, "touch", s.Touch(short, "a", 1, c.now().Add(time.Hour)), context.DeadlineExceeded)
	cancel()
	for range 3 { // while the lock is still held: they do not wait for it
		want(t, "save", <-queued, context.Canceled)
	}

	release()
	if err := s.Touch(background, "a", 1, c.now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}

// However the contexts of some end, others that use the same connections afterwards
// are not interrupted, find the database there, and may write.
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
					if err := s.Touch(background, "id0000001", 1, c.now().Add(time.Hour)); err != nil {
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

// A connection on which somebody left a transaction open, and the database has moved on
// since, refuses every write. It is replaced.
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

// A statement is prepared once, however many need it first.
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
			t.Error("another statement")
		}
	}
	var data []byte // that the winner answers shows that it has not been closed
	want(t, "query", first.QueryRow([]byte("a"), int64(0)).Scan(&data), sql.ErrNoRows)
}
