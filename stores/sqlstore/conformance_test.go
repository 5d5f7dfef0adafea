package sqlstore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
)

// Each store has a file of its own; a second process is a second pool on it.
func TestConformance(t *testing.T) {
	t.Parallel()
	newDB := func(tb testing.TB) *sql.DB { return openFile(tb, filepath.Join(tb.TempDir(), "test.db")) }
	path := func(tb testing.TB, d driver.Driver) string {
		var path string
		if err := d.(*table).db.QueryRowContext(background, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	newDriver := func(tb testing.TB, db *sql.DB) driver.Driver {
		d, err := NewDriver(db, SQLite(), nil)
		if err != nil {
			tb.Fatal(err)
		}
		if err := d.(driver.SchemaManager).CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return d
	}
	newStore := func(tb testing.TB, db *sql.DB) scs.Store {
		s, err := New(db, SQLite(), nil)
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return s
	}
	conformance.TestStore(t, conformance.Store{
		Name: "sqlite",
		New:  func(tb testing.TB) scs.Store { return newStore(tb, newDB(tb)) },
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			return newStore(tb, openFile(tb, path(tb, s.(*scskit.Store).Driver())))
		},
	})
	conformance.TestDriver(t, conformance.Driver{
		Name: "sqlite",
		New:  func(tb testing.TB) driver.Driver { return newDriver(tb, newDB(tb)) },
		Reopen: func(tb testing.TB, d driver.Driver) driver.Driver {
			return newDriver(tb, openFile(tb, path(tb, d)))
		},
	})
}
