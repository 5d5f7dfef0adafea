package sqlstore

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// TestConformance gives each store a file of its own on SQLite, and a table of its own on a server.
// A second pool stands for a second process.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		conform(t, "sqlite", SQLite(),
			func(tb testing.TB) (*sql.DB, string) {
				return openFile(tb, filepath.Join(tb.TempDir(), "test.db")), "sessions"
			},
			func(tb testing.TB, first *sql.DB) *sql.DB {
				const query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
				var path string
				if err := first.QueryRow(query).Scan(&path); err != nil {
					tb.Fatal(err)
				}
				return openFile(tb, path)
			})
	})
	for _, p := range append(servers[:len(servers):len(servers)], postgres18) {
		if p.ownDatabase {
			continue // each check would create a database, which takes long
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			conform(t, p.name, p.dialect,
				func(tb testing.TB) (*sql.DB, string) {
					db, name := p.open(tb), testenv.Name(tb)
					newServerDriver(tb, db, p.dialect, name, newClock())
					return db, name
				},
				func(tb testing.TB, _ *sql.DB) *sql.DB { return p.open(tb) })
		})
	}
}

// conform runs the conformance kit. fresh returns a pool and the name of an unused table. again
// returns another pool on the same database.
func conform(
	t *testing.T, name string, dialect Dialect,
	fresh func(testing.TB) (*sql.DB, string), again func(testing.TB, *sql.DB) *sql.DB,
) {
	newDriver := func(tb testing.TB, db *sql.DB, table string) driver.Driver {
		d, err := newDriver(db, dialect, &Options{Table: table})
		if err != nil {
			tb.Fatal(err)
		}
		if err := d.(driver.SchemaManager).CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return d
	}
	newStore := func(tb testing.TB, db *sql.DB, table string) scs.Store {
		s, err := New(db, dialect, &Options{Table: table})
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.CreateSchema(background); err != nil {
			tb.Fatal(err)
		}
		return s
	}
	reopen := func(tb testing.TB, d driver.Driver) (*sql.DB, string) {
		first := d.(*table)
		return again(tb, first.db), first.name.String()
	}
	conformance.TestStore(t, conformance.Store{
		Name: name,
		New: func(tb testing.TB) scs.Store {
			db, table := fresh(tb)
			return newStore(tb, db, table)
		},
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			db, table := reopen(tb, s.(*scskit.Store).Driver())
			return newStore(tb, db, table)
		},
	})
	conformance.TestDriver(t, conformance.Driver{
		Name: name,
		New: func(tb testing.TB) driver.Driver {
			db, table := fresh(tb)
			return newDriver(tb, db, table)
		},
		Reopen: func(tb testing.TB, d driver.Driver) driver.Driver {
			db, table := reopen(tb, d)
			return newDriver(tb, db, table)
		},
	})
}
