package conformance

import (
	"time"
)

// until polls for a condition that must hold at every time after the deadline.
func (t *checkT) until(deadline time.Time, what string, holds func() bool) {
	t.Helper()
	for {
		late := time.Now().After(deadline)
		if holds() {
			return
		}
		if late {
			t.Fatalf("timed out: %s", what)
		}
		t.pause(10 * time.Millisecond)
	}
}

// soon polls for a condition that must come true at once, but allows for a slow machine.
func (t *checkT) soon(what string, holds func() bool) {
	t.Helper()
	t.until(in(t.eventTimeout()), what, holds)
}

// pause waits where the clock of the backend is under test.
func (t *checkT) pause(d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the run was cancelled")
	}
}

// prompt is how soon an operation must return after its context ends.
const prompt = 100 * time.Millisecond

// promptly calls f until it returns at most most, a few times. f returns how long an operation took
// after its time was over. A busy machine may delay some of the calls, but not all.
func (t *checkT) promptly(what string, most time.Duration, f func() time.Duration) {
	t.Helper()
	const attempts, patience = 3, 3 * time.Second
	begin := time.Now()
	best := f()
	for n := 1; best > most && (n < attempts || time.Since(begin) < patience); n++ {
		best = min(best, f())
	}
	if best > most {
		t.Errorf("%s: returned %v after its time was over, at best: too late", what, best)
	}
}
