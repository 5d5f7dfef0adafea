package sqlstore

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSchemaText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		dialect       Dialect
		table, golden string
	}{
		{SQLite(), "", "sqlite.sql"},
		{SQLite(), "auth.web_sessions", "sqlite_qualified.sql"},
		{PostgreSQL(), "", "postgresql.sql"},
		{PostgreSQL(), "auth.web_sessions", "postgresql_qualified.sql"},
		{MySQL(), "", "mysql.sql"},
		{MySQL(), "auth.web_sessions", "mysql_qualified.sql"},
	} {
		d, err := newDriver(sql.OpenDB(nowhere{}), tc.dialect, &Options{Table: tc.table})
		if err != nil {
			t.Fatal(err)
		}
		got := d.(driver.SchemaManager).Schema()
		path := filepath.Join("..", "..", "..", "stores", "sqlstore", "testdata", tc.golden)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(golden) {
			t.Errorf("%s differs (run with -update):\n%s", path, got)
		}
	}
}

// TestSchemaByHand applies the text of Schema, after which CheckSchema must pass.
func TestSchemaByHand(t *testing.T) {
	t.Parallel()
	db := openMemory(t)
	d, err := newDriver(db, SQLite(), new(Options))
	if err != nil {
		t.Fatal(err)
	}
	s := d.(*table)
	for range 2 {
		if _, err := db.Exec(s.Schema()); err != nil {
			t.Fatal(err)
		}
		if err := s.CheckSchema(background); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSchemaComesLater(t *testing.T) {
	onEach(t, func(t *testing.T, s *table, c *clock) {
		for range 2 { // dropping twice and creating twice are no errors
			if err := s.DropSchema(background); err != nil {
				t.Fatal(err)
			}
		}
		_, loadErr := s.Load(background, "a")
		_, sweepErr := s.Sweep(background, 1)
		for op, err := range map[string]error{
			"load":   loadErr,
			"sweep":  sweepErr,
			"save":   s.Save(background, record(c, "a", 1, time.Hour), driver.Always()),
			"create": s.Save(background, record(c, "a", 1, time.Hour), driver.IfAbsent()),
			"touch":  s.Touch(background, touchTo("a", 1, c.now())),
			"delete": s.Delete(background, "a", driver.Always()),
			"check":  s.CheckSchema(background),
		} {
			want(t, op, err, driver.ErrNoSchema)
			if err != nil && !strings.Contains(err.Error(), schemaFix) {
				t.Errorf("%s: error %v lacks the advice %q", op, err, schemaFix)
			}
		}
		for range 2 {
			if err := s.CreateSchema(background); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CheckSchema(background); err != nil {
			t.Fatal(err)
		}
		save(t, s, record(c, "a", 1, time.Hour))
		load(t, s, "a")
		if err := s.CreateSchema(background); err != nil {
			t.Fatal(err)
		}
		load(t, s, "a")
	})
}

func TestCheckSchemaSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	const (
		prefix    = "sqlstore: check schema: session schema missing: table sessions"
		notUnique = prefix + ": column id alone must be unique: " +
			"recreate the table with the store's Schema"
		earlier     = prefix + " is of an earlier version, it lacks seen, user_hash: " + schemaFix
		lacksSeen   = prefix + " is of an earlier version, it lacks seen: " + schemaFix
		noIndex     = prefix + " has no index on expiry: " + schemaFix
		noUserIndex = prefix + " has no index on user_hash: " + schemaFix

		first   = "version INTEGER, expiry INTEGER, created INTEGER, updated INTEGER, data BLOB"
		columns = first + ", seen INTEGER, user_hash BLOB"
		expiry  = "CREATE INDEX i ON sessions (expiry);"
	)
	for _, tc := range []struct{ ddl, want string }{
		{"", prefix + " does not exist: " + schemaFix},
		{"CREATE TABLE sessions (id BLOB, " + columns + ")", notUnique},
		{"CREATE TABLE sessions (id BLOB, " + columns + ", PRIMARY KEY (id, version))", notUnique},
		{
			"CREATE TABLE sessions (id BLOB, " + columns + ");" +
				"CREATE UNIQUE INDEX i ON sessions (id) WHERE version > 0",
			notUnique,
		},
		{
			"CREATE TABLE sessions (id BLOB PRIMARY KEY, " + columns + ");" +
				"CREATE INDEX i ON sessions (version, expiry)",
			noIndex,
		},
		{
			"CREATE TABLE sessions (ID BLOB, " + columns + ");" + expiry +
				"CREATE UNIQUE INDEX u ON sessions (id); CREATE INDEX b ON sessions (user_hash)",
			"",
		},
		{
			"CREATE TABLE sessions (id BLOB UNIQUE, " + columns + ", more TEXT);" +
				"CREATE INDEX i ON sessions (expiry, version);" +
				"CREATE INDEX b ON sessions (User_Hash) WHERE \"user_hash\" IS NOT NULL",
			"",
		},
		{"CREATE TABLE sessions (id BLOB PRIMARY KEY, " + first + ");" + expiry, earlier},
		{
			"CREATE TABLE sessions (id BLOB PRIMARY KEY, " + first + ", user_hash BLOB);" + expiry,
			lacksSeen,
		},
		{"CREATE TABLE sessions (id BLOB PRIMARY KEY, " + columns + ");" + expiry, noUserIndex},
		{
			"CREATE TABLE sessions (id BLOB PRIMARY KEY, " + columns + ");" + expiry +
				"CREATE INDEX b ON sessions (user_hash) WHERE expiry > 5",
			noUserIndex,
		},
	} {
		db := openMemory(t)
		if _, err := db.Exec(tc.ddl); err != nil {
			t.Fatal(err)
		}
		d, err := newDriver(db, SQLite(), new(Options))
		if err != nil {
			t.Fatal(err)
		}
		err = d.(*table).CheckSchema(background)
		if tc.want == "" && err == nil {
			continue
		}
		want(t, tc.ddl, err, driver.ErrNoSchema)
		if err == nil || err.Error() != tc.want {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}

func TestCreateSchemaAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	openFile(t, path).Ping() // the first connection switches the file to WAL mode
	c := newClock()
	var wg sync.WaitGroup
	for range 8 {
		db := openFile(t, path)
		d, err := newDriver(db, SQLite(), new(Options))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			s := d.(*table)
			if err := s.CreateSchema(background); err != nil {
				t.Error(err)
			}
			if err := s.Save(background, record(c, "a", 1, time.Hour), driver.Always()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// nowhere is a connector without a driver, so that New accepts every dialect.
type nowhere struct{ sqldriver.Connector }

func (nowhere) Driver() sqldriver.Driver { return nil }
