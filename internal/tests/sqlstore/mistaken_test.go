package sqlstore

import (
	"database/sql"
	"testing"
)

// TestMistakenDialect: SQLite takes much of what is meant for PostgreSQL, and fails at the rest in
// its own words.
func TestMistakenDialect(t *testing.T) {
	t.Parallel()
	dialects := []Dialect{SQLite(), PostgreSQL(), MySQL()}
	for i, db := range []*sql.DB{openMemory(t), openPostgres(t, nil), openMySQL(t, nil)} {
		right := dialects[i]
		for _, d := range dialects {
			_, err := New(db, d, nil)
			want := "sqlstore: the dialect is that of " + d.title + ", but the driver of db is for " +
				right.title + ": pass sqlstore." + right.title + "()"
			if mistaken := d.name != right.name; (err != nil) != mistaken || mistaken &&
				err.Error() != want {
				t.Errorf("%s with the dialect of %s: got error %v", right.title, d.title, err)
			}
		}
	}
}
