package peers

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "modernc.org/sqlite"

	"github.com/scskit/scskit/conformance"
)

// The store works with any database/sql driver. The one used here needs no C compiler.
var sqlite3storePeer = peer{
	module:  "github.com/alexedwards/scs/sqlite3store",
	backend: "SQLite",
	Store: conformance.Store{
		Name:   "sqlite3store",
		New:    newSqlite3store,
		Reopen: reopen,
		Exempt: failing(map[string]string{
			"contract/empty-payload": nullData,
		}),
	},
}

func newSqlite3store(tb testing.TB) scs.Store {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "sessions.db")
	db := openSQLite(tb, file)
	const schema = "CREATE TABLE sessions (token TEXT PRIMARY KEY, " +
		"data BLOB NOT NULL, expiry REAL NOT NULL); " +
		"CREATE INDEX sessions_expiry_idx ON sessions(expiry);"
	if _, err := db.Exec(schema); err != nil {
		tb.Fatal(err)
	}
	return reopenable(tb, sqlite3store.NewWithCleanupInterval(db, 0), func(tb testing.TB) scs.Store {
		return sqlite3store.NewWithCleanupInterval(openSQLite(tb, file), 0)
	})
}

func openSQLite(tb testing.TB, file string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite",
		"file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}
