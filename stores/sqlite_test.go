package stores

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoDriverOfSQLite: a program brings its own, which may be one that registers the same name.
func TestNoDriverOfSQLite(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if strings.Contains(dep, "sqlite") {
			t.Errorf("the package links %s", dep)
		}
	}
	want := `the program has no driver for SQLite: import one, such as _ "modernc.org/sqlite"`
	if _, err := sqliteDriver([]string{"mysql", "pgx"}); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestPragmas: each connection has them, not the first alone.
func TestPragmas(t *testing.T) {
	t.Parallel()
	driver, err := sqliteDriver(sql.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(&sqliteConnector{driver, "file:" + filepath.Join(t.TempDir(), "x.db"), []string{
		"busy_timeout = 123", "journal_mode = WAL", "synchronous = full",
	}})
	defer db.Close()
	for range 3 {
		conn, err := db.Conn(t.Context()) // and the others stay in use
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, want := range map[string]string{"busy_timeout": "123", "journal_mode": "wal", "synchronous": "2"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, want %s: %v", pragma, got, want, err)
			}
		}
	}
	broken := sql.OpenDB(&sqliteConnector{driver, ":memory:", []string{"= x"}})
	defer broken.Close()
	if err := broken.PingContext(t.Context()); err == nil {
		t.Error("a pragma that fails is no error")
	}
}
