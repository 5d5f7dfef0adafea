package sqlstore

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// scsTables are the statements in the documentation of scs's own stores.
var scsTables = map[string]string{
	"postgresql": `CREATE TABLE sessions (
			token TEXT PRIMARY KEY,
			data BYTEA NOT NULL,
			expiry TIMESTAMPTZ NOT NULL
		);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry);`,
	"mysql": `CREATE TABLE sessions (
			token CHAR(43) PRIMARY KEY,
			data BLOB NOT NULL,
			expiry TIMESTAMP(6) NOT NULL
		);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry);`,
	"sqlite": `CREATE TABLE sessions (
			token TEXT PRIMARY KEY,
			data BLOB NOT NULL,
			expiry REAL NOT NULL
		);
		CREATE INDEX sessions_expiry_idx ON sessions(expiry);`,
}

// otherTable is the table of a store that has nothing to do with scs.
const otherTable = `CREATE TABLE sessions (
		id INTEGER PRIMARY KEY,
		session_data VARCHAR(1000),
		expiry BIGINT
	);
	CREATE INDEX sessions_expiry_idx ON sessions (expiry);`

// TestForeignTable has a table of that name which is not the store's. Every operation says so, and
// none changes the table. The messages are part of the test, because they are all that an
// application which moves from scs sees.
func TestForeignTable(t *testing.T) {
	t.Parallel()
	databases := []struct {
		name    string
		dialect Dialect
		open    func(testing.TB) *sql.DB
	}{
		{"sqlite", SQLite(), openMemory},
		{"sqlite file", SQLite(), func(tb testing.TB) *sql.DB {
			return openFile(tb, filepath.Join(tb.TempDir(), "test.db"))
		}},
	}
	for _, p := range servers {
		databases = append(databases, struct {
			name    string
			dialect Dialect
			open    func(testing.TB) *sql.DB
		}{p.name, p.dialect, p.open})
	}
	for _, p := range databases {
		for _, tc := range []struct{ name, ddl, row, message string }{
			{"scs", scsTables[p.dialect.name],
				"INSERT INTO {table} (token, data, expiry) VALUES ('t', 'd', {expiry})",
				"table {name} is not a table of this store, it has the columns token, data, expiry of " +
					"scs's own stores: set sqlstore.Options.Table (table in a URL) to another name, such as " +
					"scskit_sessions; read its sessions with adapters.Adopt and legacy.SCS " +
					"(docs/moving.md), or copy them with migrate.FromSCS (docs/moving-backends.md)"},
			{"other", otherTable,
				"INSERT INTO {table} (id, session_data, expiry) VALUES (0, 'd', 2)",
				"table {name} is not a table of this store, it lacks version, created, updated, data: " +
					"set sqlstore.Options.Table (table in a URL) to another name, such as scskit_sessions"},
		} {
			t.Run(p.name+"/"+tc.name, func(t *testing.T) {
				t.Parallel()
				s := newServerDriver(t, p.open(t), p.dialect, testenv.Name(t), newClock())
				name := s.name.table
				expiry := "CURRENT_TIMESTAMP"
				if p.dialect.name == "sqlite" {
					expiry = "1"
				}
				fill := strings.NewReplacer("sessions_expiry_idx", name+"_expiry_idx",
					"TABLE sessions", "TABLE "+name, "ON sessions", "ON "+name,
					"{table}", name, "{name}", name, "{expiry}", expiry)
				for statement := range strings.SplitSeq(fill.Replace(tc.ddl), ";") {
					if strings.TrimSpace(statement) != "" {
						execAll(t, s.db, statement)
					}
				}
				execAll(t, s.db, fill.Replace(tc.row))
				testForeign(t, s, fill.Replace(tc.message))
			})
		}
	}
}

func testForeign(t *testing.T, s *table, message string) {
	t.Helper()
	before, err := s.inspect(background)
	if err != nil {
		t.Fatal(err)
	}
	rec := record(newClock(), "a", 1, time.Hour)
	for _, op := range append(operations(s, rec),
		operation{"create schema", func() error { return s.CreateSchema(background) }, nil},
		operation{"check schema", func() error { return s.CheckSchema(background) }, nil},
		operation{"drop schema", func() error { return s.DropSchema(background) }, nil},
	) {
		err := op.run()
		want(t, op.name, err, driver.ErrNoSchema)
		if err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v\nwant %s", op.name, err, message)
		}
		if err != nil && strings.Contains(err.Error(), schemaFix) {
			t.Errorf("%s: error %v has the advice %q, which does not help", op.name, err, schemaFix)
		}
	}
	after, err := s.inspect(background)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(after.columns, ","), strings.Join(before.columns, ","); got != want {
		t.Errorf("the columns are %s, and were %s", got, want)
	}
	if n := countRows(t, s); n != 1 {
		t.Errorf("the table has %d rows, want 1", n)
	}
}
