package faults_test

import (
	"bufio"
	"database/sql"
	"fmt"
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

// programVariable names the database for TestProgram.
const programVariable = "SCSKIT_FAULTS_SQLITE"

// TestProgram is the program that TestKilledProgram kills: an application with a SQLite file. It
// prints its address, and ends with its standard input.
func TestProgram(t *testing.T) {
	dsn := os.Getenv(programVariable)
	if dsn == "" {
		return // only TestKilledProgram runs it
	}
	opts := scskit.Options{Timeout: time.Minute} // a disk may be slow
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

// TestKilledProgram kills an application under load, and starts it again with the same SQLite file.
//
// With journal_mode WAL, the kill of a program loses no commit, both with synchronous NORMAL and
// FULL: a commit is written to the file before it is acknowledged. In a crash of the machine,
// NORMAL may lose the last commits, and FULL loses none. This test does not cover that.
func TestKilledProgram(t *testing.T) {
	t.Parallel()
	for _, synchronous := range []string{"NORMAL", "FULL"} {
		t.Run("synchronous "+synchronous, func(t *testing.T) {
			t.Parallel()
			const pragmas = "?_pragma=busy_timeout(100)&_pragma=journal_mode(WAL)&_pragma=synchronous(%s)"
			file := filepath.Join(t.TempDir(), "sessions.db")
			dsn := "file:" + file + fmt.Sprintf(pragmas, synchronous)
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
	site *site // a client for it
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
	t.Fatalf("the program ended before it served: %s", stderr.String())
	return nil
}
