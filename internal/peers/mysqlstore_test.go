package peers

import (
	"database/sql"
	"testing"

	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/v2"
	"github.com/go-sql-driver/mysql"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/testenv"
)

// Two definitions of the table: the documented one, and one with larger columns.
const (
	documented = "CREATE TABLE sessions (token CHAR(43) PRIMARY KEY, " +
		"data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL)"
	wide = "CREATE TABLE sessions (token VARBINARY(255) PRIMARY KEY, " +
		"data MEDIUMBLOB NOT NULL, expiry DATETIME(6) NOT NULL)"
)

var mysqlstorePeer = peer{
	module:  "github.com/alexedwards/scs/mysqlstore",
	backend: "MariaDB",
	needs:   []testenv.Kind{testenv.KindMySQL},
	Store: conformance.Store{
		Name:   "mysqlstore",
		New:    func(tb testing.TB) scs.Store { return newMysqlstore(tb, documented) },
		Reopen: reopen,
		Exempt: failing(map[string]string{
			"contract/empty-payload": nullData,
			"contract/token-case":    collation,
			"contract/token-unicode": collation,
			"contract/token-space":   "CHAR drops trailing spaces, and comparisons ignore them",
			"data/64k":               "a BLOB holds 65,535 bytes; the server refuses more",
			"expiry/far-future":      "a TIMESTAMP ends in January 2038; the server refuses later times",
		}),
	},
}

const collation = "the token column has the database's collation, which ignores case and accents"

var mysqlstoreWidePeer = peer{
	module:  mysqlstorePeer.module,
	backend: "MariaDB",
	needs:   mysqlstorePeer.needs,
	Store: conformance.Store{
		Name:   "mysqlstore, better table",
		New:    func(tb testing.TB) scs.Store { return newMysqlstore(tb, wide) },
		Reopen: reopen,
		Exempt: failing(map[string]string{
			"contract/empty-payload": nullData,
		}),
	},
}

// newMysqlstore creates a database for the store, since the store's table has a fixed name.
func newMysqlstore(tb testing.TB, table string) scs.Store {
	tb.Helper()
	config, err := mysql.ParseDSN(testenv.MySQL(tb))
	if err != nil {
		tb.Fatal(err)
	}
	config.ParseTime = true
	admin := openMySQL(tb, config)
	name := testenv.Name(tb)
	if _, err := admin.Exec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name); err != nil {
			tb.Error(err)
		}
	})
	config = config.Clone()
	config.DBName = name
	db := openMySQL(tb, config)
	for _, stmt := range []string{table, "CREATE INDEX sessions_expiry_idx ON sessions (expiry)"} {
		if _, err := db.Exec(stmt); err != nil {
			tb.Fatal(err)
		}
	}
	return reopenable(tb, mysqlstore.NewWithCleanupInterval(db, 0), func(tb testing.TB) scs.Store {
		return mysqlstore.NewWithCleanupInterval(openMySQL(tb, config), 0)
	})
}

func openMySQL(tb testing.TB, config *mysql.Config) *sql.DB {
	tb.Helper()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		tb.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}
