package roundtrips

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/sqlstore"
)

// sqlBackend has the commands of the operations, named by the first words of the SQL statements.
var sqlBackend = backend{
	load:   counters{"SELECT": 1},
	create: counters{"INSERT": 1},
	save:   counters{"UPDATE": 1},
	touch:  counters{"UPDATE": 1},
	remove: counters{"DELETE": 1},
}

func newSQLStore(
	t *testing.T, db *sql.DB, dialect sqlstore.Dialect, now func() time.Time,
) *scskit.Store {
	t.Helper()
	store, err := sqlstore.New(db, dialect, &sqlstore.Options{Options: storeOptions(now)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func closeAtEnd(t *testing.T, db *sql.DB) *sql.DB {
	t.Helper()
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// PostgreSQL counts statements with the module pg_stat_statements. The client has default settings,
// except that it does not ping connections that were idle for a second, which happens on a busy
// machine.
func openPostgres(t *testing.T, now func() time.Time) backend {
	t.Helper()
	server := testenv.Start(t, testenv.KindPostgres)
	w := newWire(t, server.Addr())
	connect := func(addr string) *sql.DB {
		config, err := pgx.ParseConfig(strings.Replace(server.URL(), server.Addr(), addr, 1))
		if err != nil {
			t.Fatal(err)
		}
		never := func(context.Context, stdlib.ShouldPingParams) bool { return false }
		return closeAtEnd(t, stdlib.OpenDB(*config, stdlib.OptionShouldPing(never)))
	}
	statistics := connect(server.Addr())
	if _, err := statistics.Exec("CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Fatalf("the server cannot count statements: install pg_stat_statements "+
			"(package postgresql on Debian, postgresql-contrib on others): %v", err)
	}
	b := sqlBackend
	b.store = newSQLStore(t, connect(w.addr), sqlstore.PostgreSQL(), now)
	b.trips = w.count.Load
	b.commands = func(t *testing.T) counters {
		t.Helper()
		return count(t, statistics,
			`SELECT query, calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`,
			firstWord)
	}
	return b
}

// MariaDB counts statements by their kinds, and also counts executions of prepared statements.
func openMariaDB(t *testing.T, now func() time.Time) backend {
	t.Helper()
	server := testenv.Start(t, testenv.KindMySQL)
	w := newWire(t, server.Addr())
	connect := func(addr string) *sql.DB {
		config, err := mysql.ParseDSN(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		config.Addr = addr
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		return closeAtEnd(t, sql.OpenDB(connector))
	}
	statistics := connect(server.Addr())
	var queries int64 // of statistics
	b := sqlBackend
	for _, op := range []*counters{&b.load, &b.create, &b.save, &b.touch, &b.remove} {
		prepared := counters{"STMT_EXECUTE": 1, "QUESTIONS": 1}
		prepared.add(*op, 1)
		*op = prepared
	}
	b.store = newSQLStore(t, connect(w.addr), sqlstore.MySQL(), now)
	b.trips = w.count.Load
	b.commands = func(t *testing.T) counters {
		t.Helper()
		queries++
		all := count(t, statistics,
			`SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Com\_%' OR Variable_name = 'Questions'`,
			func(name string) string { return strings.ToUpper(strings.TrimPrefix(name, "Com_")) })
		delete(all, "SHOW_STATUS")
		all["QUESTIONS"] -= queries
		return all
	}
	return b
}

// count runs a query for names and numbers, and adds up the numbers by name(name).
func count(t *testing.T, db *sql.DB, query string, name func(string) string) counters {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	all := counters{}
	for rows.Next() {
		var what string
		var number int64
		if err := rows.Scan(&what, &number); err != nil {
			t.Fatal(err)
		}
		all[name(what)] += number
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func firstWord(statement string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	return word
}

// SQLite runs in the process, so a wrapper of the driver counts the statements.
func openSQLite(t *testing.T, now func() time.Time) backend {
	t.Helper()
	counting := &countingDriver{all: counters{}}
	path := filepath.Join(t.TempDir(), "sessions.db")
	counting.dsn = "file:" + path +
		"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	b := sqlBackend
	b.store = newSQLStore(t, closeAtEnd(t, sql.OpenDB(counting)), sqlstore.SQLite(), now)
	b.commands = func(*testing.T) counters { return counting.counters() }
	return b
}

// countingDriver is a connector to SQLite that counts statements.
type countingDriver struct {
	dsn string
	mu  sync.Mutex
	all counters
}

func (d *countingDriver) count(statement string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[firstWord(statement)]++
}

func (d *countingDriver) counters() counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := counters{}
	all.add(d.all, 1)
	return all
}

func (d *countingDriver) Driver() driver.Driver { return new(sqlite.Driver) }

func (d *countingDriver) Connect(context.Context) (driver.Conn, error) {
	conn, err := d.Driver().Open(d.dsn)
	return countingConn{conn, d}, err
}

type countingConn struct {
	driver.Conn
	*countingDriver
}

func (c countingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.count("PREPARE " + query)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c countingConn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	c.count(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c countingConn) QueryContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	c.count(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c countingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.count("BEGIN")
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}
