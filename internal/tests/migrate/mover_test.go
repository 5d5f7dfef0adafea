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
}

// place is a store.
type place struct {
	URL   string
	Plain bool
	Key   []byte
}

func (p place) open(t *testing.T) *scskit.Store {
	t.Helper()
	opts := &scskit.Options{UserKey: "user", PlainIDs: p.Plain, Timeout: time.Minute}
	if p.Key != nil {
		opts.Keys = [][]byte{p.Key}
	}
	store, closeStore, err := stores.Open(t.Context(), p.URL, opts)
	must(t, err)
	t.Cleanup(func() { must(t, closeStore()) })
	return store
}

// TestMover copies and prints how many records are done.
func TestMover(t *testing.T) {
	text := os.Getenv(moverVariable)
	if text == "" {
		return // only a move runs it
	}
	var m mover
	must(t, json.Unmarshal([]byte(text), &m))
	r, err := migrate.Copy(t.Context(), m.From.open(t), m.To.open(t), &migrate.Options{
		Checkpoint: migrate.File(m.Checkpoint), Rate: m.Rate, Skew: -1,
		ProgressInterval: 20 * time.Millisecond,
		Progress:         func(p migrate.Progress) { fmt.Println("done", p.Report.Done()) },
	})
	must(t, err)
	b, err := json.Marshal(r)
	must(t, err)
	fmt.Println("report", string(b))
}

// run runs a process that copies. If kill is positive, it kills it with SIGKILL once so many
// records are done; otherwise it returns the report.
func (m mover) run(t *testing.T, kill int) (r migrate.Report) {
	t.Helper()
	text, err := json.Marshal(m)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestMover$", "-test.v")
	cmd.Env = append(os.Environ(), moverVariable+"="+string(text))
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
		if n, _ := fmt.Sscanf(line, "done %d", &done); n == 1 && kill > 0 && done >= kill && !killed {
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
