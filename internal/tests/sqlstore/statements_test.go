package sqlstore

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// counts counts the calls of a database driver that cost a round trip.
type counts struct{ prepared, run, other atomic.Int64 }

func (c *counts) take() string {
	return fmt.Sprintf("%d prepared, %d run, %d other", c.prepared.Swap(0), c.run.Swap(0),
		c.other.Swap(0))
}

// counting is a connector whose connections count their calls.
type counting struct {
	real sqldriver.Driver
	dsn  string
	*counts
}

func (c counting) Driver() sqldriver.Driver { return c.real }

func (c counting) Connect(context.Context) (sqldriver.Conn, error) {
	conn, err := c.real.Open(c.dsn)
	return countingConn{conn, c.counts}, err
}

type countingConn struct {
	sqldriver.Conn
	*counts
}

func (c countingConn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	c.prepared.Add(1)
	stmt, err := c.Conn.(sqldriver.ConnPrepareContext).PrepareContext(ctx, query)
	return countingStmt{stmt, c.counts}, err
}

func (c countingConn) ExecContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	c.run.Add(1)
	return c.Conn.(sqldriver.ExecerContext).ExecContext(ctx, query, args)
}

func (c countingConn) QueryContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	c.run.Add(1)
	return c.Conn.(sqldriver.QueryerContext).QueryContext(ctx, query, args)
}

func (c countingConn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	c.other.Add(1)
	return c.Conn.(sqldriver.ConnBeginTx).BeginTx(ctx, opts)
}

func (c countingConn) Ping(ctx context.Context) error {
	c.other.Add(1)
	return c.Conn.(sqldriver.Pinger).Ping(ctx)
}

type countingStmt struct {
	sqldriver.Stmt
	*counts
}

func (s countingStmt) ExecContext(
	ctx context.Context, args []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	s.run.Add(1)
	return s.Stmt.(sqldriver.StmtExecContext).ExecContext(ctx, args)
}

func (s countingStmt) QueryContext(
	ctx context.Context, args []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	s.run.Add(1)
	return s.Stmt.(sqldriver.StmtQueryContext).QueryContext(ctx, args)
}

// TestOneStatementPerOperation checks that every operation is one statement outside a transaction,
// whether its condition holds or not. On MySQL the store prepares it at the first use on a
// connection; pgx prepares by itself.
func TestOneStatementPerOperation(t *testing.T) {
	t.Parallel()
	file := func(tb testing.TB) string { return filepath.Join(tb.TempDir(), "test.db") }
	for _, tc := range []struct {
		name     string
		dialect  Dialect
		dsn      func(tb testing.TB) string
		prepares bool
	}{
		{"sqlite", SQLite(), file, false},
		{"pgx", PostgreSQL(), testenv.Postgres, false},
		{"mysql", MySQL(), testenv.MySQL, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			named, err := sql.Open(tc.name, tc.dsn(t))
			if err != nil {
				t.Fatal(err)
			}
			defer named.Close()
			n := new(counts)
			db := pool(t, sql.OpenDB(counting{named.Driver(), tc.dsn(t), n}))
			db.SetMaxOpenConns(1)
			c := newClock()
			s := newServerTable(t, db, tc.dialect, testenv.Name(t), c)
			n.take()
			for round := range 2 {
				for _, op := range operations(s, record(c, "a", 1, time.Hour)) {
					want(t, op.name, op.run(), op.want)
					got := n.take()
					if got == "0 prepared, 1 run, 0 other" {
						continue
					}
					if round > 0 || !tc.prepares || got != "1 prepared, 1 run, 0 other" {
						t.Errorf("%s, round %d: %s", op.name, round, got)
					}
				}
			}
		})
	}
}

type operation struct {
	name string
	run  func() error
	want error
}

// operations returns each operation on rec, in an order that leaves no record behind.
func operations(s *table, rec driver.Record) []operation {
	load := func() error {
		_, err := s.Load(background, rec.ID)
		return err
	}
	save := func(cond driver.Condition) func() error {
		return func() error { return s.Save(background, rec, cond) }
	}
	touch := func(version int64, later time.Duration) func() error {
		return func() error {
			return s.Touch(background, touchTo(rec.ID, version, rec.Expiry.Add(later)))
		}
	}
	sweep := func() error {
		_, err := s.Sweep(background, 10)
		return err
	}
	first := func() error {
		for _, err := range s.Range(background) {
			return err
		}
		return nil
	}
	firstOfUser := func() error {
		for _, err := range s.RangeUser(background, rec.User) {
			return err
		}
		return errors.New("the user has no sessions")
	}
	remove := func() error { return s.Delete(background, rec.ID, driver.Always()) }
	return []operation{
		{"load of no record", load, driver.ErrNotFound},
		{"create", save(driver.IfAbsent()), nil},
		{"create again", save(driver.IfAbsent()), driver.ErrConflict},
		{"load", load, nil},
		{"replace", save(driver.IfVersion(1)), nil},
		{"replace another version", save(driver.IfVersion(2)), driver.ErrConflict},
		{"overwrite", save(driver.Always()), nil},
		{"overwrite with equal values", save(driver.Always()), nil},
		{"touch", touch(1, time.Second), nil},
		{"touch with an equal expiry", touch(1, time.Second), nil},
		{"touch another version", touch(2, 0), driver.ErrConflict},
		{"sweep", sweep, nil},
		{"range", first, nil},
		{"range user", firstOfUser, nil},
		{"delete", remove, nil},
		{"delete of no record", remove, driver.ErrNotFound},
	}
}
