package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

var background = context.Background()

// openFile opens a database in a file, with the settings from the package documentation.
func openFile(t testing.TB, path string) *sql.DB {
	t.Helper()
	return open(t, "file:"+path+"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(NORMAL)")
}

func openMemory(t testing.TB) *sql.DB {
	t.Helper()
	db := open(t, ":memory:")
	db.SetMaxOpenConns(1)
	return db
}

func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// clock is a clock that only advance moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Date(2010, 1, 2, 3, 4, 5, 678_901_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newTestTable(t testing.TB, db *sql.DB, c *clock) *table {
	t.Helper()
	return newTableOf(t, db, SQLite(), c)
}

func newTableOf(t testing.TB, db *sql.DB, dialect Dialect, c *clock) *table {
	t.Helper()
	d, err := newDriver(db, dialect, &Options{Options: scskit.Options{Now: c.now}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.(driver.SchemaManager).CreateSchema(background); err != nil {
		t.Fatal(err)
	}
	return d.(*table)
}

// onEach runs a test on each server, and on SQLite in three ways: with a pool on a file, with one
// connection to memory, and with the prepared statements and concurrent writers of the other
// databases.
func onEach(t *testing.T, test func(t *testing.T, s *table, c *clock)) {
	t.Parallel()
	onEachSQLite(t, test)
	t.Run("prepared", func(t *testing.T) {
		t.Parallel()
		dialect := SQLite()
		dialect.uninterrupted, dialect.oneWriter, dialect.prepares = false, false, true
		c := newClock()
		test(t, newTableOf(t, openFile(t, filepath.Join(t.TempDir(), "test.db")), dialect, c), c)
	})
	onServers(t, test)
}

func onEachSQLite(t *testing.T, test func(t *testing.T, s *table, c *clock)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		test(t, newTestTable(t, openFile(t, filepath.Join(t.TempDir(), "test.db")), c), c)
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		test(t, newTestTable(t, openMemory(t), c), c)
	})
}

func record(c *clock, id string, version int64, ttl time.Duration) driver.Record {
	now := c.now()
	return driver.Record{
		ID:      id,
		Data:    []byte("data of " + id),
		Expiry:  now.Add(ttl),
		Created: now,
		Updated: now,
		Seen:    now.Add(time.Second),
		User:    "user of " + id[:min(len(id), 32)],
		Version: version,
	}
}

func save(t testing.TB, s *table, rec driver.Record) {
	t.Helper()
	if err := s.Save(background, rec, driver.Always()); err != nil {
		t.Fatalf("save %q: %v", rec.ID, err)
	}
}

func load(t testing.TB, s *table, id string) driver.Record {
	t.Helper()
	rec, err := s.Load(background, id)
	if err != nil {
		t.Fatalf("load %q: %v", id, err)
	}
	return rec
}

func want(t testing.TB, what string, got, target error) {
	t.Helper()
	if !errors.Is(got, target) {
		t.Errorf("%s: got error %v, want %v", what, got, target)
	}
}

// countRows returns the number of rows in the table, including expired ones.
func countRows(t testing.TB, s *table) (n int) {
	t.Helper()
	query := "SELECT COUNT(*) FROM " + s.dialect.quoteName(s.name)
	if err := s.db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// equal compares records, and their times to the microsecond.
func equal(a, b driver.Record) bool {
	same := func(x, y time.Time) bool {
		return x.Truncate(time.Microsecond).Equal(y.Truncate(time.Microsecond))
	}
	return a.ID == b.ID && string(a.Data) == string(b.Data) && a.Version == b.Version &&
		same(a.Expiry, b.Expiry) && same(a.Created, b.Created) && same(a.Updated, b.Updated) &&
		same(a.Seen, b.Seen) && a.User == b.User
}

func TestOptions(t *testing.T) {
	t.Parallel()
	db := openMemory(t)
	for _, tc := range []struct {
		db      *sql.DB
		dialect Dialect
		opts    *Options
		want    string
	}{
		{nil, SQLite(), nil, "sqlstore: db is nil: open it with sql.Open"},
		{db, Dialect{}, nil, "sqlstore: the dialect is not set: pass sqlstore.SQLite(), " +
			"sqlstore.PostgreSQL() or sqlstore.MySQL()"},
		{db, SQLite(), &Options{Options: scskit.Options{MaxSize: -1}},
			"scskit: Options.MaxSize is -1: it must not be negative"},
		{db, SQLite(), &Options{Table: "a-b"},
			`sqlstore: Options.Table is "a-b": it must be NAME or SCHEMA.NAME, of at most 50 ASCII ` +
				"letters, digits and underscores each, not starting with a digit"},
	} {
		if _, err := New(tc.db, tc.dialect, tc.opts); err == nil || err.Error() != tc.want {
			t.Errorf("got error %v, want %s", err, tc.want)
		}
	}
	if _, err := New(db, SQLite(), nil); err != nil {
		t.Error(err)
	}
}

// TestAcceptedTableNames uses valid names, including reserved words and schemas.
func TestAcceptedTableNames(t *testing.T) {
	t.Parallel()
	db := openMemory(t)
	if _, err := db.Exec("ATTACH ':memory:' AS other"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"", "select", "Order", "main.t", "other.sessions", "other.select"} {
		d, err := newDriver(db, SQLite(), &Options{Table: name})
		if err != nil {
			t.Fatal(err)
		}
		s := d.(*table)
		want(t, "check", s.CheckSchema(background), driver.ErrNoSchema)
		if err := s.CreateSchema(background); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		expiry := time.Now().Add(time.Hour)
		rec := driver.Record{ID: "a", Data: fmt.Append(nil, i), Expiry: expiry, Version: 1}
		save(t, s, rec)
		if got := load(t, s, "a"); !equal(got, rec) {
			t.Errorf("%q: got %+v", name, got)
		}
		if n, err := s.Sweep(background, 10); n != 0 || err != nil {
			t.Errorf("%q: swept %d, %v", name, n, err)
		}
		if name != "other.sessions" { // dropping the others must not drop this one
			if err := s.DropSchema(background); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	d, _ := newDriver(db, SQLite(), &Options{Table: "other.sessions"})
	load(t, d.(*table), "a")
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}
