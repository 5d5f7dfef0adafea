package sqlstore

import (
	"database/sql"
	"testing"
)

// TestWrongDialect combines each driver with each dialect. Without the check, SQLite would accept
// many statements for PostgreSQL, and report a syntax error for others.
func TestWrongDialect(t *testing.T) {
	t.Parallel()
	dialects := []Dialect{SQLite(), PostgreSQL(), MySQL()}
	for i, db := range []*sql.DB{openMemory(t), openPostgres(t, nil), openMySQL(t, nil)} {
		right := dialects[i]
		for _, d := range dialects {
			var want string
			if d.name != right.name {
				want = "sqlstore: the dialect is " + d.title + ", but the driver of db is for " +
					right.title + ": pass sqlstore." + right.title + "()"
			}
			var got string
			if _, err := New(db, d, nil); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s with dialect %s: got error %q, want %q", right.title, d.title, got, want)
			}
		}
	}
}
