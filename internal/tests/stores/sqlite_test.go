package stores_test

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scskit/scskit/internal/sqlurl"
)

// TestNoDriverOfSQLite: a program brings its own, which may be one that registers the same name.
func TestNoDriverOfSQLite(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "github.com/scskit/scskit/stores/all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if strings.Contains(dep, "sqlite") && !strings.HasPrefix(dep, "github.com/scskit/") {
			t.Errorf("the package links %s", dep)
		}
	}
	want := `the program has no driver for SQLite: import one, such as _ "modernc.org/sqlite"`
	if _, err := sqlurl.SQLiteDriver([]string{"mysql", "pgx"}); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestPragmas: each connection has them, not the first alone.
func TestPragmas(t *testing.T) {
	t.Parallel()
	driver, err := sqlurl.SQLiteDriver(sql.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(&sqlurl.SQLiteConnector{SQLite: driver,
		DSN: "file:" + filepath.Join(t.TempDir(), "x.db"), Pragmas: []string{
			"busy_timeout = 123", "journal_mode = WAL", "synchronous = full",
		}})
	defer db.Close()
	for range 3 {
		conn, err := db.Conn(t.Context()) // and the others stay in use
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, want := range map[string]string{"busy_timeout": "123", "journal_mode": "wal",
			"synchronous": "2"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil ||
				got != want {
				t.Errorf("%s is %s, want %s: %v", pragma, got, want, err)
			}
		}
	}
	broken := sql.OpenDB(&sqlurl.SQLiteConnector{SQLite: driver, DSN: ":memory:",
		Pragmas: []string{"= x"}})
	defer broken.Close()
	if err := broken.PingContext(t.Context()); err == nil {
		t.Error("a pragma that fails is no error")
	}
}
