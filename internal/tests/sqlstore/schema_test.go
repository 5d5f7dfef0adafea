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

// What Schema prints, applied by hand, is what CheckSchema wants.
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
		for range 2 { // dropping it twice is fine, and so is creating it twice
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
			"touch":  s.Touch(background, "a", 1, c.now()),
			"delete": s.Delete(background, "a"),
			"check":  s.CheckSchema(background),
		} {
			want(t, op, err, driver.ErrNoSchema)
			if err != nil && !strings.Contains(err.Error(), schemaFix) {
				t.Errorf("%s: %v does not say what to do", op, err)
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
	for _, tc := range []struct{ ddl, want string }{
		{"", "sqlstore: check schema: session schema missing: no table sessions: " + schemaFix},
		{"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)",
			"sqlstore: check schema: session schema missing: table sessions is another one, without id, " +
				"version, created, updated: choose another name in Options.Table"},
		{"CREATE TABLE sessions (id BLOB, version INTEGER, expiry INTEGER, created INTEGER, updated " +
			"INTEGER, data BLOB)",
			"sqlstore: check schema: session schema missing: table sessions: id alone is neither primary " +
				"key nor unique: recreate the table, with the store's Schema"},
		{"CREATE TABLE sessions (id BLOB, version INTEGER, expiry INTEGER, created INTEGER, updated " +
			"INTEGER, data BLOB, PRIMARY KEY (id, version))",
			"sqlstore: check schema: session schema missing: table sessions: id alone is neither primary " +
				"key nor unique: recreate the table, with the store's Schema"},
		{"CREATE TABLE sessions (id BLOB, version INTEGER, expiry INTEGER, created INTEGER, updated " +
			"INTEGER, data BLOB); CREATE UNIQUE INDEX i ON sessions (id) WHERE version > 0",
			"sqlstore: check schema: session schema missing: table sessions: id alone is neither primary " +
				"key nor unique: recreate the table, with the store's Schema"},
		{"CREATE TABLE sessions (id BLOB PRIMARY KEY, version INTEGER, expiry INTEGER, created " +
			"INTEGER, updated INTEGER, data BLOB); CREATE INDEX i ON sessions (version, expiry)",
			"sqlstore: check schema: session schema missing: table sessions: no index on expiry: " +
				schemaFix},
		{"CREATE TABLE sessions (ID BLOB, version INTEGER, expiry INTEGER, created INTEGER, updated " +
			"INTEGER, data BLOB); CREATE UNIQUE INDEX u ON sessions (id); CREATE INDEX i ON sessions " +
			"(expiry)", ""},
		{"CREATE TABLE sessions (id BLOB UNIQUE, version INTEGER, expiry INTEGER, created INTEGER, " +
			"updated INTEGER, data BLOB, more TEXT); CREATE INDEX i ON sessions (expiry, version)", ""},
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

// scs's sqlite3store keeps its sessions in a table of the same name.
func TestForeignTableIsLeftAlone(t *testing.T) {
	t.Parallel()
	db := openMemory(t)
	if _, err := db.Exec(`CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		INSERT INTO sessions VALUES ('t', 'd', 1)`); err != nil {
		t.Fatal(err)
	}
	d, err := newDriver(db, SQLite(), new(Options))
	if err != nil {
		t.Fatal(err)
	}
	s := d.(*table)
	want(t, "create", s.CreateSchema(background), driver.ErrNoSchema)
	want(t, "drop", s.DropSchema(background), driver.ErrNoSchema)
	_, err = s.Load(background, "a")
	want(t, "load", err, driver.ErrNoSchema)
	err = s.Save(background, driver.Record{ID: "a", Expiry: time.Now().Add(time.Hour), Version: 1},
		driver.Always())
	want(t, "save", err, driver.ErrNoSchema)
	var rows, indexes int
	if err := db.QueryRow(
		`SELECT COUNT(*), (SELECT COUNT(*) FROM pragma_index_list('sessions')) FROM sessions`).Scan(&rows,
		&indexes); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || indexes != 1 {
		t.Errorf("%d rows, %d indexes, want 1 and 1", rows, indexes)
	}
}

func TestCreateSchemaAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	openFile(t, path).Ping() // WAL mode is set by the first
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

// nowhere leads to no database, and so to none that would have another dialect.
type nowhere struct{ sqldriver.Connector }

func (nowhere) Driver() sqldriver.Driver { return nil }
