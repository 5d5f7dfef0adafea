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
	// stall is how long a check may run without a beat before it counts as hung. Every operation,
	// request and log line of a check is a beat. A slow backend gets more.
	stall = 20 * time.Second

	// longest is how long a check may run. A slow backend gets more.
	longest = 3 * time.Minute
)

// alive records a beat of the check.
func (t *checkT) alive() { t.beats.Add(1) }

// watch returns nil when done is closed, or an error when there is no beat for the limit. Time in
// which the machine does not run the watch does not count.
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
			return fmt.Errorf("the check hangs: nothing has happened for %v; it waits in\n%s", limit,
				t.waiting())
		}
		if time.Since(begin) > longest {
			return fmt.Errorf("the check did not end within %v; it is in\n%s", longest, t.waiting())
		}
	}
}

// label is the profiler label of the goroutines of a check. Goroutines that they start inherit it.
const label = "conformance"

// waiting describes in a few lines where the goroutines of the check are.
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

// innermost returns the calls of a stack in a goroutine profile that show where it waits: the last
// few, without those of the runtime and of locks, channels and the like.
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

// ours returns the index of the outermost call that identifies the check.
func ours(calls []string) int {
	for i := len(calls) - 1; i > 3; i-- {
		if strings.HasPrefix(calls[i], "conformance.") &&
			!strings.HasPrefix(calls[i], "conformance.job") {
			return i
		}
	}
	return 3
}

// isPlumbing reports whether goroutines wait in the function for any reason, so that it says
// nothing about the cause.
func isPlumbing(function string) bool {
	for _, pkg := range []string{"runtime.", "sync.", "time.", "poll.", "syscall.", "net.", "bufio.",
		"io.", "pprof."} {
		if strings.HasPrefix(function, pkg) {
			return true
		}
	}
	return false
}

// panicked returns the last few calls before the panic that the caller has recovered.
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
			more = false // the start of the goroutine
		case plumbing:
			unwinding = true
		case unwinding:
			calls = append(calls, fmt.Sprintf("\t%s (%s:%d)", function, filepath.Base(frame.File),
				frame.Line))
		}
	}
	return strings.Join(calls, "\n")
}
