// Package peers runs the conformance kit on stores that others have published, in a module of its
// own: users of scskit need none of them.
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

// TestSqlite3store runs the suite against the SQLite store that is published beside scs, over
// a driver that needs no C compiler.
func TestSqlite3store(t *testing.T) {
	conformance.TestStore(t, conformance.Store{
		Name: "scs-sqlite3store",
		New: func(tb testing.TB) scs.Store {
			db := open(tb, filepath.Join(tb.TempDir(), "sessions.db"))
			if _, err := db.Exec(`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
				CREATE INDEX sessions_expiry_idx ON sessions(expiry);`); err != nil {
				tb.Fatal(err)
			}
			return sqlite3store.NewWithCleanupInterval(db, 0)
		},
		Exempt: map[string]string{
			"contract/empty-payload": "nil data becomes SQL NULL, which its documented schema refuses; scs's own codec never gives nil",
		},
	})
}

func open(tb testing.TB, file string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}
