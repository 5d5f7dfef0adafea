package sqlstore

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// server is a test server and how to connect to it.
type server struct {
	name    string
	dialect Dialect

	// open returns a new pool, which is closed at the end of the test.
	open func(tb testing.TB) *sql.DB

	// ownDatabase is set if each call of open creates a database.
	ownDatabase bool
}

// servers have each database with common settings, and with hostile ones: a case-insensitive
// collation on MySQL, another encoding and time zone, and unusual values of every setting that
// could matter.
var servers = []server{
	{"postgresql", PostgreSQL(), func(tb testing.TB) *sql.DB { return openPostgres(tb, nil) }, false},
	{"postgresql hostile", PostgreSQL(), openHostilePostgres, true},
	{"mysql", MySQL(), func(tb testing.TB) *sql.DB { return openMySQL(tb, nil) }, false},
	{"mysql hostile", MySQL(), openHostileMySQL, true},
}

// postgres18 is another version, on which only TestConformance runs.
var postgres18 = server{"postgresql-18", PostgreSQL(), func(tb testing.TB) *sql.DB {
	return openPostgresOn(tb, testenv.KindPostgres18, nil)
}, false}

// onServers runs a test on each server, with a table of its own.
func onServers(t *testing.T, test func(t *testing.T, s *table, c *clock)) {
	t.Helper()
	for _, p := range servers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			test(t, newServerTable(t, p.open(t), p.dialect, testenv.Name(t), c), c)
		})
	}
}

// newServerTable creates a table and drops it at the end of the test.
func newServerTable(tb testing.TB, db *sql.DB, dialect Dialect, name string, c *clock) *table {
	tb.Helper()
	s := newServerDriver(tb, db, dialect, name, c)
	if err := s.CreateSchema(background); err != nil {
		tb.Fatal(err)
	}
	return s
}

// newServerDriver returns a driver without creating its table. If the table exists at the end of
// the test, it is dropped.
func newServerDriver(tb testing.TB, db *sql.DB, dialect Dialect, name string, c *clock) *table {
	tb.Helper()
	d, err := newDriver(db, dialect, &Options{Options: scskit.Options{Now: c.now}, Table: name})
	if err != nil {
		tb.Fatal(err)
	}
	s := d.(*table)
	tb.Cleanup(func() {
		if _, err := db.Exec(s.dialect.dropTable(s.name)); err != nil {
			tb.Errorf("drop: %v", err)
		}
	})
	return s
}

// another returns a second driver on the table of s, with its own pool, like a second process.
func another(tb testing.TB, s *table, open func(testing.TB) *sql.DB) *table {
	tb.Helper()
	opts := &Options{Options: scskit.Options{Now: s.now}, Table: s.name.String()}
	d, err := newDriver(open(tb), s.dialect, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return d.(*table)
}

func openPostgres(tb testing.TB, change func(*pgx.ConnConfig)) *sql.DB {
	tb.Helper()
	return openPostgresOn(tb, testenv.KindPostgres, change)
}

func openPostgresOn(tb testing.TB, kind testenv.Kind, change func(*pgx.ConnConfig)) *sql.DB {
	tb.Helper()
	config, err := pgx.ParseConfig(testenv.URL(tb, kind))
	if err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	return pool(tb, stdlib.OpenDB(*config))
}

func openHostilePostgres(tb testing.TB) *sql.DB {
	tb.Helper()
	name := newDatabase(tb, openPostgres(tb, nil), doubleQuote,
		"TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", " WITH (FORCE)")
	return openPostgres(tb, func(config *pgx.ConnConfig) {
		config.Database = name
		for parameter, value := range map[string]string{
			"timezone":                      "Asia/Kathmandu",
			"default_transaction_isolation": "serializable",
			"bytea_output":                  "escape",
			"standard_conforming_strings":   "off",
			"client_encoding":               "LATIN1",
			"enable_indexscan":              "off",
			"transform_null_equals":         "on",
		} {
			config.RuntimeParams[parameter] = value
		}
	})
}

func openMySQL(tb testing.TB, change func(*mysql.Config)) *sql.DB {
	tb.Helper()
	config, err := mysql.ParseDSN(testenv.MySQL(tb))
	if err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		tb.Fatal(err)
	}
	return pool(tb, sql.OpenDB(connector))
}

func openHostileMySQL(tb testing.TB) *sql.DB {
	tb.Helper()
	admin := openMySQL(tb, nil)
	name := newDatabase(tb, admin, backquote, "CHARACTER SET latin1 COLLATE latin1_general_ci", "")
	isolation := "transaction_isolation"
	if isMariaDB(tb, admin) {
		isolation = "tx_isolation"
	}
	return openMySQL(tb, func(config *mysql.Config) {
		config.DBName = name
		config.ClientFoundRows = true
		config.InterpolateParams = true
		config.ParseTime = true
		config.Params = map[string]string{
			"time_zone": "'-09:30'",
			"sql_mode":  "'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE'",
			isolation:   "'SERIALIZABLE'",
		}
		if err := config.Apply(mysql.Charset("latin1", "latin1_general_ci")); err != nil {
			tb.Fatal(err)
		}
	})
}

func isMariaDB(tb testing.TB, db *sql.DB) bool {
	tb.Helper()
	var version string
	if err := db.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		tb.Fatal(err)
	}
	return strings.Contains(version, "MariaDB")
}

// newDatabase creates a database and drops it at the end of the test.
func newDatabase(
	tb testing.TB, admin *sql.DB, quote func(string) string, options, force string,
) string {
	tb.Helper()
	name := testenv.Name(tb)
	if _, err := admin.Exec("CREATE DATABASE " + quote(name) + " " + options); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + quote(name) + force); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return name
}

// pool limits the connections, so that concurrent tests do not exhaust the server's, and closes db
// at the end of the test.
func pool(tb testing.TB, db *sql.DB) *sql.DB {
	tb.Helper()
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return db
}

func execAll(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, text := range statements {
		if _, err := db.Exec(text); err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
	}
}
