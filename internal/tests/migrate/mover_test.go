package migrate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate"
	"github.com/scskit/scskit/stores"
	_ "github.com/scskit/scskit/stores/all"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{})
	os.Exit(testenv.Main(m))
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// moverVariable is the environment variable that makes this test binary a process that copies. It
// holds a mover.
const moverVariable = "SCSKIT_TEST_MOVER"

// mover is what such a process copies.
type mover struct {
	From, To   place
	Checkpoint string
	Rate       float64
	Pair       bool // move with Between, and not Copy
}

// place is a store.
type place struct {
	URL   string
	Plain bool
	Key   []byte
}

func (p place) open(t *testing.T, with ...func(*scskit.Options)) *scskit.Store {
	t.Helper()
	opts := &scskit.Options{UserKey: "user", PlainIDs: p.Plain, Timeout: time.Minute}
	for _, f := range with {
		f(opts)
	}
	if p.Key != nil {
		opts.Keys = [][]byte{p.Key}
	}
	store, closeStore, err := stores.Open(t.Context(), p.URL, opts)
	must(t, err)
	t.Cleanup(func() { must(t, closeStore()) })
	return store
}

// TestMover copies or moves, and prints how many records are done, and how many of them are copied.
func TestMover(t *testing.T) {
	text := os.Getenv(moverVariable)
	if text == "" {
		return // only a move runs it
	}
	var m mover
	must(t, json.Unmarshal([]byte(text), &m))
	o := &migrate.Options{
		Rate: m.Rate, Skew: -1, ProgressInterval: 20 * time.Millisecond,
		Progress: func(p migrate.Progress) { fmt.Println("done", p.Report.Done(), p.Report.Copied) },
	}
	var r migrate.Report
	var err error
	if m.Pair {
		r, err = deployment{m.From, m.To, forward}.pair(t).Move(t.Context(), o)
	} else {
		o.Checkpoint = migrate.File(m.Checkpoint)
		r, err = migrate.Copy(t.Context(), m.From.open(t), m.To.open(t), o)
	}
	must(t, err)
	b, err := json.Marshal(r)
	must(t, err)
	fmt.Println("report", string(b))
}

// run runs a process that copies or moves. If kill is positive, it kills it with SIGKILL once so
// many records are done, or moved, and returns what it has printed last. Otherwise it returns the
// report.
func (m mover) run(t *testing.T, kill int) (r migrate.Report) {
	t.Helper()
	text, err := json.Marshal(m)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMover$", "-test.v",
		"-test.timeout", "0")
	cmd.Env = append(os.Environ(), moverVariable+"="+string(text), endsAtOnce)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var printed []string
	killed, reported := false, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		printed = append(printed, line)
		var done int
		n, _ := fmt.Sscanf(line, "done %d %d", &done, &r.Copied)
		if m.Pair {
			done = r.Copied
		}
		if n == 2 && kill > 0 && done >= kill && !killed {
			killed = true
			must(t, cmd.Process.Kill())
		}
		if report, ok := strings.CutPrefix(line, "report "); ok {
			reported = true
			must(t, json.Unmarshal([]byte(report), &r))
		}
	}
	err = cmd.Wait()
	if killed != (kill > 0) || reported == killed || (err == nil) == killed {
		t.Fatalf("killed %v, reported %v: %v\n%s", killed, reported, err,
			strings.Join(printed, "\n"))
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
