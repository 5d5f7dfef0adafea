package conformance

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/v2"
)

// checkT is the testing.TB of one check. It works in tests and in other programs.
type checkT struct {
	// TB is nil. It is embedded because testing.TB has an unexported method; all exported ones are
	// defined below.
	testing.TB

	name    string
	store   *Store
	driver  *Driver
	adapter *Adapter
	subject *subject
	ctx     context.Context
	cancel  context.CancelFunc
	beats   atomic.Int64 // see watch

	mu sync.Mutex
	// The results of New and Reopen, by the stores with a long timeout that checks use.
	made     map[scs.Store]scs.Store
	helpers  map[string]bool
	lines    []string
	cleanups []func()
	failed   bool
	skipped  bool
	na       string // why the check does not apply
	over     bool   // the outcome is decided; later reports are ignored
}

var _ testing.TB = (*checkT)(nil)

// notApplicable ends the check, which does not apply to the subject.
func (t *checkT) notApplicable(reason string) {
	t.mu.Lock()
	t.na = reason
	t.mu.Unlock()
	runtime.Goexit()
}

// each runs f n times concurrently and waits for all of them. A panic of f fails the check.
func (t *checkT) each(n int, f func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			defer t.alive()
			defer t.recovered()
			panicOnFault()
			<-begin
			f(i)
		})
	}
	close(begin)
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// start runs f in a goroutine and returns a channel that is closed when f has returned. A panic of
// f fails the check.
func (t *checkT) start(f func()) (ended <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recovered()
		panicOnFault()
		f()
	}()
	return done
}

// recovered, deferred, turns a panic into a failure of the check.
func (t *checkT) recovered() {
	p := recover()
	if text, ok := fault(p); ok {
		t.Errorf("the subject %s", text)
	} else if p != nil {
		t.Errorf("panic: %v, in\n%s", p, panicked())
	}
}

// Name implements testing.TB.
func (t *checkT) Name() string { return t.name }

// Context implements testing.TB. It ends just before the cleanups, or when the check hangs.
func (t *checkT) Context() context.Context { return t.ctx }

// Helper implements testing.TB. Every helper of a check calls it first, so it also counts as a beat
// for watch.
func (t *checkT) Helper() {
	t.alive()
	var pc [1]uintptr
	if runtime.Callers(2, pc[:]) == 0 {
		return
	}
	frame, _ := runtime.CallersFrames(pc[:]).Next()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.helpers == nil {
		t.helpers = make(map[string]bool)
	}
	t.helpers[frame.Function] = true
}

// Log implements testing.TB.
func (t *checkT) Log(args ...any) { t.record(fmt.Sprintln(args...), false) }

// Logf implements testing.TB.
func (t *checkT) Logf(format string, args ...any) { t.record(fmt.Sprintf(format, args...), false) }

// Error implements testing.TB.
func (t *checkT) Error(args ...any) { t.record(fmt.Sprintln(args...), true) }

// Errorf implements testing.TB.
func (t *checkT) Errorf(format string, args ...any) { t.record(fmt.Sprintf(format, args...), true) }

// Fatal implements testing.TB.
func (t *checkT) Fatal(args ...any) {
	t.record(fmt.Sprintln(args...), true)
	runtime.Goexit()
}

// Fatalf implements testing.TB.
func (t *checkT) Fatalf(format string, args ...any) {
	t.record(fmt.Sprintf(format, args...), true)
	runtime.Goexit()
}

func (t *checkT) record(text string, failed bool) {
	t.alive()
	place := t.place()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.lines = append(t.lines, place+": "+strings.TrimRight(text, "\n"))
	t.failed = t.failed || failed
}

// place returns the file and line of the nearest caller that is not a helper.
func (t *checkT) place() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		frame, more := frames.Next()
		if !more || !t.helpers[frame.Function] {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
	}
}

// Fail implements testing.TB.
func (t *checkT) Fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = t.failed || !t.over
}

// FailNow implements testing.TB.
func (t *checkT) FailNow() {
	t.Fail()
	runtime.Goexit()
}

// Failed implements testing.TB.
func (t *checkT) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// Skip implements testing.TB. It fails the check; see Store.Exempt.
func (t *checkT) Skip(args ...any) {
	t.Log(args...)
	t.SkipNow()
}

// Skipf implements testing.TB.
func (t *checkT) Skipf(format string, args ...any) {
	t.Logf(format, args...)
	t.SkipNow()
}

// SkipNow implements testing.TB.
func (t *checkT) SkipNow() {
	t.mu.Lock()
	t.skipped, t.failed = true, true
	t.lines = append(t.lines, "the subject skipped the check: name checks that it fails in Exempt")
	t.mu.Unlock()
	runtime.Goexit()
}

// Skipped implements testing.TB.
func (t *checkT) Skipped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.skipped
}

// Cleanup implements testing.TB.
func (t *checkT) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// clean runs the cleanups, last one first, including those that cleanups add. It runs the others
// after one that panics or calls FailNow.
func (t *checkT) clean() {
	for {
		t.mu.Lock()
		n := len(t.cleanups)
		if n == 0 {
			t.mu.Unlock()
			return
		}
		f := t.cleanups[n-1]
		t.cleanups = t.cleanups[:n-1]
		t.mu.Unlock()

		done := make(chan struct{})
		go func() {
			defer close(done)
			defer t.recovered()
			panicOnFault()
			f()
		}()
		<-done
	}
}

// TempDir implements testing.TB.
func (t *checkT) TempDir() string {
	dir, err := os.MkdirTemp("", "conformance-*")
	if err != nil {
		t.Fatalf("temporary directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("temporary directory: %v", err)
		}
	})
	return dir
}

// ArtifactDir implements testing.TB. The directory is removed like that of TempDir.
func (t *checkT) ArtifactDir() string { return t.TempDir() }

// Setenv implements testing.TB. It panics, as in a parallel test: checks run concurrently and share
// the environment.
func (t *checkT) Setenv(key, _ string) {
	panic("conformance: checks run in parallel: cannot set " + key)
}

// Chdir implements testing.TB. It panics, as Setenv does.
func (t *checkT) Chdir(dir string) {
	panic("conformance: checks run in parallel: cannot change to " + dir)
}

// Attr implements testing.TB.
func (t *checkT) Attr(key, value string) { t.Logf("%s: %s", key, value) }

// Output implements testing.TB.
func (t *checkT) Output() io.Writer { return output{t} }

type output struct{ t *checkT }

func (o output) Write(p []byte) (int, error) {
	o.t.Logf("%s", p)
	return len(p), nil
}
