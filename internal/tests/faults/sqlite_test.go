package faults_test

import (
	"bufio"
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/sqlstore"
)

// programVariable tells TestProgram which database to serve.
const programVariable = "SCSKIT_FAULTS_SQLITE"

// TestProgram is the program that TestKilledProgram kills: the application over a SQLite file. It
// tells its address, and ends with its standard input.
func TestProgram(t *testing.T) {
	dsn := os.Getenv(programVariable)
	if dsn == "" {
		return // only TestKilledProgram runs it
	}
	opts := scskit.Options{Timeout: time.Minute} // nothing here hangs, but a disk may be slow
	s := newSite(t, 0, opts, func(opts scskit.Options) (*scskit.Store, error) {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = db.Close() })
		store, err := sqlstore.New(db, sqlstore.SQLite(), &sqlstore.Options{Options: opts})
		if err != nil {
			return nil, err
		}
		return store, store.CreateSchema(t.Context())
	})
	_, _ = os.Stdout.WriteString("serving " + s.url + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// SQLite has no server: what is killed is the program itself, under load, and started again on the
// same file.
//
// With journal_mode WAL the kill of a program loses nothing, whether synchronous is NORMAL or FULL:
// a commit is in the file, as far as the operating system is concerned, before it is acknowledged.
// They differ when the machine dies, which no test here can show: NORMAL may then lose the last
// commits, FULL none.
func TestKilledProgram(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"NORMAL", "FULL"} {
		t.Run("synchronous "+synchronous, func(t *testing.T) {
			t.Parallel()
			dsn := "file:" + filepath.Join(t.TempDir(), "sessions.db") +
				"?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(" + synchronous + ")"
			enter(t, t.Name())
			p := startProgram(t, dsn, 0)
			p.site.pace = p.site.measure(t)
			c := newCrowd(t, p.site)
			survive(t, c, kills, func() { p.kill() }, func() {
				p = startProgram(t, dsn, p.site.pace)
				c.site.Store(p.site)
			})
		})
	}
}

// program is a process that serves a site.
type program struct {
	site *site // as a client sees it
	kill func()
}

func startProgram(t *testing.T, dsn string, p pace) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestProgram$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), programVariable+"="+dsn)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	}
	t.Cleanup(kill)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if url, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			return &program{site: visit(t, url, p), kill: kill}
		}
	}
	_ = cmd.Wait()
	t.Fatalf("the program does not serve: %s", stderr.String())
	return nil
}
