package stores_test

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scskit/scskit/internal/sqlurl"
)

// TestNoSQLiteDriver checks that stores/all links no SQLite driver, which could register the same
// name as the program's own.
func TestNoSQLiteDriver(t *testing.T) {
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
	const want = `no SQLite driver is registered: import one, such as _ "modernc.org/sqlite"`
	if _, err := sqlurl.SQLiteDriver([]string{"mysql", "pgx"}); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestPragmas checks that every connection has the settings, not only the first.
func TestPragmas(t *testing.T) {
	t.Parallel()
	driver, err := sqlurl.SQLiteDriver(sql.Drivers())
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(&sqlurl.SQLiteConnector{
		SQLite:  driver,
		DSN:     "file:" + filepath.Join(t.TempDir(), "x.db"),
		Pragmas: []string{"busy_timeout = 123", "journal_mode = WAL", "synchronous = full"},
	})
	defer db.Close()
	for range 3 {
		conn, err := db.Conn(t.Context()) // a new one, because the others stay in use
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, want := range map[string]string{
			"busy_timeout": "123",
			"journal_mode": "wal",
			"synchronous":  "2",
		} {
			var got string
			err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
			if err != nil || got != want {
				t.Errorf("%s is %s, want %s: %v", pragma, got, want, err)
			}
		}
	}
	broken := sql.OpenDB(&sqlurl.SQLiteConnector{
		SQLite:  driver,
		DSN:     ":memory:",
		Pragmas: []string{"= x"},
	})
	defer broken.Close()
	if err := broken.PingContext(t.Context()); err == nil {
		t.Error("connecting succeeds although a pragma fails")
	}
}
