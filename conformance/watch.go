package conformance

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

const (
	// stall is how long nothing may happen in a check before it counts as hung. What happens is
	// any operation, request or log line of the check. It is stretched for slow backends.
	stall = 20 * time.Second

	// longest is how long a check may be busy, stretched likewise.
	longest = 3 * time.Minute
)

// alive says that something has happened in the check.
func (t *checkT) alive() { t.beats.Add(1) }

// watch returns nil when done is closed, or else what is wrong: nothing has happened for the limit.
// Time in which the machine did not let the watch itself run does not count.
func (t *checkT) watch(done <-chan struct{}, limit time.Duration) error {
	longest := t.subject.scaled(longest)
	step := max(limit/20, time.Millisecond)
	tick := time.NewTicker(step)
	defer tick.Stop()
	begin, seen, left := time.Now(), t.beats.Load(), limit
	for {
		select {
		case <-done:
			return nil
		case <-tick.C:
		}
		if now := t.beats.Load(); now != seen {
			seen, left = now, limit
		} else if left -= step; left <= 0 {
			return fmt.Errorf("the check hangs: nothing has happened for %v. It waits in\n%s", limit,
				t.waiting())
		}
		if time.Since(begin) > longest {
			return fmt.Errorf("the check did not end within %v. It is in\n%s", longest, t.waiting())
		}
	}
}

// label marks the goroutines of a check, which those that they start inherit.
const label = "conformance"

// waiting says in a few lines where the check's goroutines are.
func (t *checkT) waiting() string {
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return "\t" + err.Error()
	}
	mark := fmt.Sprintf("%q:%q", label, t.name)
	var places []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(stack, mark) {
			continue
		}
		if place := innermost(stack); place != "" && len(places) < 3 {
			places = append(places, "\t"+place)
		}
	}
	return strings.Join(places, "\n")
}

// innermost returns the calls of a stack of a goroutine profile that say where it waits: the last
// few but those of the runtime and of what it waits with, such as a lock or a channel.
func innermost(stack string) string {
	var calls []string
	for line := range strings.Lines(stack) {
		fields := strings.Fields(line) // # ADDRESS FUNCTION+OFFSET FILE:LINE
		if len(fields) != 4 || fields[0] != "#" || !strings.Contains(fields[3], ":") {
			continue
		}
		function, _, _ := strings.Cut(fields[2], "+")
		function = function[strings.LastIndex(function, "/")+1:]
		if len(calls) == 0 && isPlumbing(function) {
			continue
		}
		calls = append(calls, fmt.Sprintf("%s (%s)", function, filepath.Base(fields[3])))
	}
	if len(calls) > 4 {
		calls = append(calls[:3:3], calls[ours(calls)])
	}
	return strings.Join(calls, ", called by ")
}

// ours returns the place of the outermost call that tells which check it is.
func ours(calls []string) int {
	for i := len(calls) - 1; i > 3; i-- {
		if strings.HasPrefix(calls[i], "conformance.") &&
			!strings.HasPrefix(calls[i], "conformance.job") {
			return i
		}
	}
	return 3
}

// isPlumbing reports whether a function is what goroutines wait with, and says nothing of the
// reason.
func isPlumbing(function string) bool {
	for _, pkg := range []string{"runtime.", "sync.", "time.", "poll.", "syscall.", "net.", "bufio.",
		"io.", "pprof."} {
		if strings.HasPrefix(function, pkg) {
			return true
		}
	}
	return false
}

// panicked returns the calls, a few, that led to the panic which the caller has recovered.
func panicked() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	var calls []string
	unwinding := false
	for more := true; more && len(calls) < 6; {
		var frame runtime.Frame
		frame, more = frames.Next()
		function := frame.Function[strings.LastIndex(frame.Function, "/")+1:]
		switch plumbing := strings.HasPrefix(function, "runtime."); {
		case plumbing && len(calls) > 0:
			more = false // the goroutine's beginning
		case plumbing:
			unwinding = true
		case unwinding:
			calls = append(calls, fmt.Sprintf("\t%s (%s:%d)", function, filepath.Base(frame.File),
				frame.Line))
		}
	}
	return strings.Join(calls, "\n")
}
