package conformance

import (
	"time"
)

// until polls for a condition that must hold whenever it is looked at after the deadline.
func (t *checkT) until(deadline time.Time, what string, holds func() bool) {
	t.Helper()
	for {
		late := time.Now().After(deadline)
		if holds() {
			return
		}
		if late {
			t.Fatalf("still not so: %s", what)
		}
		t.pause(10 * time.Millisecond)
	}
}

// soon polls for a condition that must come true at once, on whatever machine.
func (t *checkT) soon(what string, holds func() bool) {
	t.Helper()
	t.until(in(t.reach()), what, holds)
}

// pause lets time pass, where the clock of the backend is what is checked.
func (t *checkT) pause(d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the check was called off")
	}
}

// prompt is how soon an operation returns when its context ends.
const prompt = 100 * time.Millisecond

// promptly calls f, which returns how long after its end it took, until once that was no longer
// than most. A busy machine may delay any one of them; what is always late is the subject's doing.
func (t *checkT) promptly(what string, most time.Duration, f func() time.Duration) {
	t.Helper()
	const attempts, patience = 3, 3 * time.Second
	begin := time.Now()
	best := f()
	for n := 1; best > most && (n < attempts || time.Since(begin) < patience); n++ {
		best = min(best, f())
	}
	if best > most {
		t.Errorf("%s: returned %v after its time was over, at best", what, best)
	}
}
