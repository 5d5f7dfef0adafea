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

// place is a database on a real server, and how to connect to it.
type place struct {
	name    string
	dialect Dialect
	// open returns a pool of its own, until the end of the test.
	open func(tb testing.TB) *sql.DB
	// ownDatabase says that each call of open makes a database.
	ownDatabase bool
}

// servers are the databases as their users have them, and again as nobody would want them:
// with a collation that takes A for a, in another encoding and time zone, and with every setting
// that could matter set the other way.
var servers = []place{
	{"postgresql", PostgreSQL(), func(tb testing.TB) *sql.DB { return openPostgres(tb, nil) }, false},
	{"postgresql hostile", PostgreSQL(), openHostilePostgres, true},
	{"mysql", MySQL(), func(tb testing.TB) *sql.DB { return openMySQL(tb, nil) }, false},
	{"mysql hostile", MySQL(), openHostileMySQL, true},
}

// postgres18 is another version, on which the contract alone is tested.
var postgres18 = place{"postgresql-18", PostgreSQL(), func(tb testing.TB) *sql.DB {
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

// newServerTable makes a table, and drops it at the end of the test.
func newServerTable(tb testing.TB, db *sql.DB, dialect Dialect, name string, c *clock) *table {
	tb.Helper()
	s := newServerDriver(tb, db, dialect, name, c)
	if err := s.CreateSchema(background); err != nil {
		tb.Fatal(err)
	}
	return s
}

// newServerDriver makes no table, but drops it, should there be one at the end of the test.
func newServerDriver(tb testing.TB, db *sql.DB, dialect Dialect, name string, c *clock) *table {
	tb.Helper()
	d, err := newDriver(db, dialect, &Options{Options: scskit.Options{Now: c.now}, Table: name})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := db.Exec(d.(*table).dialect.dropTable(d.(*table).name)); err != nil {
			tb.Errorf("drop: %v", err)
		}
	})
	return d.(*table)
}

// another is a second driver on the table of s, with another pool, as a second process has.
func another(tb testing.TB, s *table, open func(testing.TB) *sql.DB) *table {
	tb.Helper()
	d, err := newDriver(open(tb), s.dialect,
		&Options{Options: scskit.Options{Now: s.now}, Table: s.name.String()})
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

// newDatabase makes a database and drops it at the end of the test.
func newDatabase(tb testing.TB, admin *sql.DB, quote func(string) string, options,
	force string) string {
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

// pool keeps connections for reuse, few enough for all the tests that run at a time.
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
