package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// try runs a check of the reference store.
func try(limit time.Duration, exemptions map[string]string, run func(t *checkT)) Result {
	s := reference()
	s.Exempt = exemptions
	c := check{id: "test/check", level: LevelStore, run: run}
	return job{check: c, store: &s, group: "test"}.run(context.Background(), limit)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	exemptions := map[string]string{"test/check": "because"}
	pass, fail := func(*checkT) {}, func(t *checkT) { t.Error("no", "good") }
	na := func(t *checkT) { t.notApplicable("does not matter") }
	for _, test := range []struct {
		name       string
		run        func(t *checkT)
		exemptions map[string]string
		outcome    Outcome
		reason     string // a part of it
	}{
		{"pass", pass, nil, Passed, ""},
		{"fail", fail, nil, Failed, ": no good"},
		{"fail and go on", func(t *checkT) { t.Error("one"); t.Error("two") }, nil, Failed, "two"},
		{"fatal", func(t *checkT) { t.Fatalf("no %d", 1); panic("not reached") }, nil, Failed, ": no 1"},
		{"fail now", func(t *checkT) { t.FailNow(); panic("not reached") }, nil, Failed, ""},
		{"fail in a goroutine", func(t *checkT) {
			t.each(3, func(i int) { t.Fatalf("goroutine %d", i) })
		}, nil, Failed, "goroutine 1"},
		{"panic", func(*checkT) { panic("oh") }, nil, Failed, "panic: oh"},
		{"panic in a goroutine", func(t *checkT) { t.each(2, func(int) { panic("oh") }) }, nil, Failed,
			"panic: oh"},
		{"panic says where", func(*checkT) { panic("oh") }, nil, Failed, "check_t_test.go"},
		{"skip", func(t *checkT) { t.Skip("not today") }, nil, Failed, "not today"},
		{"not applicable", na, nil, NotApplicable, "does not matter"},
		{"exempt", fail, exemptions, Exempt, "because"},
		{"exempt and panics", func(*checkT) { panic("oh") }, exemptions, Exempt, "because"},
		{"exempt and passes", pass, exemptions, Failed, "exemption not needed: the check passes"},
		{"exempt and not applicable", na, exemptions, Failed,
			"exemption not needed: the check does not apply: does not matter"},
		{"failed cleanup", func(t *checkT) { t.Cleanup(func() { t.Fatal("cannot close") }) }, nil, Failed,
			"cannot close"},
		{"panic in a cleanup", func(t *checkT) { t.Cleanup(func() { panic("oh") }) }, nil, Failed,
			"panic: oh"},
		{"environment", func(t *checkT) { t.Setenv("A", "b") }, nil, Failed, "checks run in parallel"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := try(stall, test.exemptions, test.run)
			if r.Outcome != test.outcome || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("got %s: %s\nwant %s: …%s…", r.Outcome, r.Reason, test.outcome, test.reason)
			}
		})
	}
}

func TestHangs(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	r := try(20*time.Millisecond, nil, func(t *checkT) {
		defer close(released)
		forever(t)
		t.Error("too late to count")
	})
	if r.Outcome != Failed || !strings.Contains(r.Reason, "nothing has happened for 20ms") ||
		!strings.Contains(r.Reason, "conformance.forever (check_t_test.go:") {
		t.Errorf("got %s: %s", r.Outcome, r.Reason)
	}
	if n := strings.Count(r.Reason, "\n"); n > 4 {
		t.Errorf("the report of a hang has %d lines:\n%s", n, r.Reason)
	}
	if strings.Contains(r.Reason, "too late") {
		t.Error("what comes after the verdict is part of it")
	}
	<-released
	hung := try(20*time.Millisecond, map[string]string{"test/check": "hangs"}, forever)
	if hung.Outcome != Exempt {
		t.Errorf("a check that hangs, as declared: %s: %.300s", hung.Outcome, hung.Reason)
	}
}

// forever waits for a store that never answers.
func forever(t *checkT) { <-t.Context().Done() }

// A check may take longer than the limit, as long as something happens.
func TestSlowIsNoHang(t *testing.T) {
	t.Parallel()
	r := try(100*time.Millisecond, nil, func(t *checkT) {
		for range 30 {
			t.pause(10 * time.Millisecond)
		}
	})
	if r.Outcome != Passed {
		t.Errorf("got %s: %s", r.Outcome, r.Reason)
	}
}

func TestTestingTB(t *testing.T) {
	t.Parallel()
	var order []string
	var dir string
	r := try(stall, nil, func(t *checkT) {
		var tb testing.TB = t
		dir = tb.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			tb.Error(err)
		}
		if tb.TempDir() == dir || t.ArtifactDir() == dir {
			tb.Error("TempDir gave a directory twice")
		}
		if tb.Name() != "test/test/check" {
			tb.Errorf("name %q", tb.Name())
		}
		for _, name := range []string{"first", "second"} {
			tb.Cleanup(func() {
				if tb.Context().Err() == nil {
					tb.Error("the context has not ended before the cleanups")
				}
				order = append(order, name)
				tb.Cleanup(func() { order = append(order, "of "+name) })
			})
		}
		fmt.Fprintln(tb.Output(), "output")
		tb.Log("log")
		tb.Attr("key", "value")
		if tb.Failed() || tb.Skipped() {
			tb.Error("failed or skipped")
		}
	})
	if r.Outcome != Passed {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
	if got, want := strings.Join(order, ", "), "second, of second, first, of first"; got != want {
		t.Errorf("cleanups ran as %s, want %s", got, want)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

// helping is a helper that fails the check.
func helping(tb testing.TB) {
	tb.Helper()
	tb.Error("in a helper")
}

func TestHelperLines(t *testing.T) {
	t.Parallel()
	r := try(stall, nil, func(t *checkT) { helping(t) })
	direct := try(stall, nil, func(t *checkT) { t.Error("in a helper") })
	if !regexp.MustCompile(`^check_t_test.go:\d+: in a helper$`).MatchString(r.Reason) {
		t.Errorf("reason %q", r.Reason)
	}
	line := func(s string) (n int) { _, _ = fmt.Sscanf(s, "check_t_test.go:%d", &n); return n }
	if line(r.Reason)+1 != line(direct.Reason) {
		t.Errorf("the helper's failure is at %q, not at its caller, before %q", r.Reason, direct.Reason)
	}
}
