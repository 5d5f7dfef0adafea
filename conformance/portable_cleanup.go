package conformance

import (
	"context"
	"fmt"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableCleanupChecks cover Store.Sweep over the backend, and StartSweep.
var portableCleanupChecks = []check{
	{"cleanup/only-expired", LevelPortable, cleanupOnlyExpired,
		"a sweep removes expired sessions only, and returns their number"},
	{"cleanup/moved", LevelPortable, cleanupMoved,
		"a sweep goes by the current expiry of a session, not by an earlier one"},
	{"cleanup/two-at-once", LevelPortable, cleanupTwoAtOnce,
		"concurrent sweeps succeed, and count each session once"},
	{"cleanup/ticks", LevelPortable, cleanupTicks,
		"StartSweep sweeps in every interval, also after a failure"},
	{"cleanup/stop", LevelPortable, cleanupStop,
		"stop ends a running sweep, and may be called again or concurrently"},
	{"cleanup/leaks-nothing", LevelPortable, cleanupLeaksNothing,
		"after stop has returned, no goroutine is left and no sweep begins"},
}

// expired stores n sessions and returns after their expiry has passed, before they are removed.
func (t *checkT) expired(s portable, n int) {
	t.Helper()
	for span := t.short(); ; span *= 4 {
		expiry := in(span)
		first := newToken()
		for i := range n {
			token := first
			if i > 0 {
				token = newToken()
			}
			t.commit(s, token, t.encode(map[string]any{"k": 1}), expiry)
		}
		inTime := time.Now().Before(expiry)
		t.until(in(max(time.Until(expiry), 0)+2*time.Second), "an expired session is not found",
			func() bool { return t.gone(s, first) })
		if inTime {
			return
		}
		t.sweep(s) // some have expired too early
	}
}

func (t *checkT) sweeper(opts *scskit.Options) (portable, *tap) {
	t.Helper()
	s, d := t.newPortable(opts)
	if _, ok := driver.As[driver.Sweeper](d.Driver); !ok {
		t.notApplicable("the driver does not implement driver.Sweeper: the backend itself sweeps")
	}
	return s, d
}

func (t *checkT) sweep(s portable) int {
	t.Helper()
	n, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	return n
}

// wantRemoved fails the check unless sweep returns n. sweep must store n expired sessions in a new
// backend and sweep them.
func (t *checkT) wantRemoved(n int, sweep func() int) {
	t.Helper()
	attempts := 1
	if t.store != nil && t.store.RemovesExpired || t.driver != nil && t.driver.RemovesExpired {
		attempts = 5
	}
	removed := sweep()
	for ; removed < n && attempts > 1; attempts-- { // the backend has removed some itself
		removed = sweep()
	}
	if removed != n {
		t.Errorf("sweep: removed %d, want %d", removed, n)
	}
}

func cleanupOnlyExpired(t *checkT) {
	const n = 20
	t.wantRemoved(n, func() int {
		s, _ := t.sweeper(nil)
		live := t.fill(s, n)
		t.expired(s, n)
		removed := t.sweep(s)
		if rest := t.sweep(s); rest != 0 {
			t.Errorf("sweep again: removed %d, want 0", rest)
		}
		for data, token := range live {
			t.wantData(s, token, []byte(data))
		}
		return removed
	})
}

func cleanupMoved(t *checkT) {
	data := t.encode(map[string]any{"k": 1})
	var s portable
	var live map[string]string // the tokens, by how the expiry was moved
	t.arrangeExpiry(func(near time.Time) error {
		s, _ = t.sweeper(&scskit.Options{TouchInterval: -1})
		live = map[string]string{"touched": newToken(), "saved": newToken(), "recreated": newToken()}
		for what, token := range live {
			t.commit(s, token, data, near)
			ctx := t.Context()
			switch what {
			case "touched":
				ctx = scskit.WithTracker(ctx)
				if _, _, err := s.FindCtx(ctx, token); err != nil {
					return fmt.Errorf("find: %w", err)
				}
			case "recreated":
				t.remove(s, token)
			}
			if err := s.CommitCtx(ctx, token, data, far()); err != nil {
				return fmt.Errorf("commit: a session that is %s: %w", what, err)
			}
		}
		return nil
	})
	if removed := t.sweep(s); removed != 0 {
		t.Errorf("sweep: removed %d, want 0: every session is live by its new expiry", removed)
	}
	for what, token := range live {
		if t.gone(s, token) {
			t.Errorf("sweep: removed a live session that was %s with a later expiry", what)
		}
	}
}

func cleanupTwoAtOnce(t *checkT) {
	const n = 40
	t.wantRemoved(n, func() int {
		s, _ := t.sweeper(nil)
		t.expired(s, n)
		var removed atomic.Int64
		t.each(4, func(int) { removed.Add(int64(t.sweep(s))) })
		return int(removed.Load())
	})
}

func cleanupTicks(t *checkT) {
	s, d := t.newPortable(nil)
	d.on(func(_ context.Context, op, _ string) error {
		if op == "sweep" && d.count("sweep")%2 == 1 {
			return errDown
		}
		return nil
	})
	stop := s.StartSweep(time.Millisecond)
	defer stop()
	t.soon("five sweeps", func() bool { return d.count("sweep") >= 5 })
}

func cleanupStop(t *checkT) {
	s, d := t.newPortable(&scskit.Options{Timeout: -1})
	var running atomic.Int64
	d.on(func(ctx context.Context, op, id string) error {
		running.Add(1)
		defer running.Add(-1)
		return silent(ctx, op, id)
	})
	stop := s.StartSweep(time.Millisecond)
	t.soon("a sweep is running", func() bool { return running.Load() == 1 })
	t.each(5, func(int) {
		stop()
		if running.Load() != 0 {
			t.Error("stop returned while a sweep was running")
		}
	})
	stop()
	s.StartSweep(time.Hour)() // hangs if stop waits for the next sweep
}

func cleanupLeaksNothing(t *checkT) {
	s, d := t.newPortable(nil)
	const label = "conformance-sweep"
	mark := newToken() // goroutines inherit the labels of the goroutine that starts them
	ours := []string{packageOf((*scskit.Store)(nil)), packageOf(s), packageOf(d.Driver)}
	left := func() int {
		var profile strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			t.Fatalf("goroutine profile: %v", err)
		}
		return goroutinesOf(profile.String(), fmt.Sprintf("%q:%q", label, mark), ours)
	}
	var stops []func()
	pprof.Do(t.Context(), pprof.Labels(label, mark), func(context.Context) {
		for range 5 {
			stops = append(stops, s.StartSweep(time.Millisecond))
		}
	})
	t.soon("sweeps are running", func() bool { return d.count("sweep") > 5 })
	if left() == 0 {
		t.Log("StartSweep starts no goroutine")
	}
	for _, stop := range stops {
		stop()
	}
	after := d.count("sweep")
	t.pause(20 * time.Millisecond)
	if n := d.count("sweep"); n != after {
		t.Errorf("%d sweeps began after stop returned", n-after)
	}
	// A goroutine may live on for a moment after it has signalled its end.
	t.soon("no goroutine is left after stop", func() bool { return left() == 0 })
}

// goroutinesOf counts the stacks, in a goroutine profile in text form, that have a label and a
// function of one of the packages. Other stacks belong to the client library: a sweep may have
// opened connections that stay in their pool.
func goroutinesOf(profile, label string, packages []string) int {
	n := 0
	for stack := range strings.SplitSeq(profile, "\n\n") {
		if strings.Contains(stack, label) && slices.ContainsFunc(packages, func(path string) bool {
			return strings.Contains(stack, "\t"+path+".")
		}) {
			n++
		}
	}
	return n
}

// packageOf returns the path of the package that declares the type of v, or the type that v points
// to.
func packageOf(v any) string {
	typ := reflect.TypeOf(v)
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ.PkgPath()
}
