package conformance

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

func TestChecksAreWellFormed(t *testing.T) {
	t.Parallel()
	id := regexp.MustCompile(`^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := make(map[string]bool)
	for _, c := range Checks() {
		if !id.MatchString(c.ID) {
			t.Errorf("id %q is not group/condition in lower case", c.ID)
		}
		if seen[c.ID] {
			t.Errorf("id %q is there twice", c.ID)
		}
		seen[c.ID] = true
		if len(c.Why) < 20 {
			t.Errorf("%s: why is %q", c.ID, c.Why)
		}
		if !slices.Contains([]Level{LevelStore, LevelPortable, LevelDriver, LevelAdapter, LevelPair},
			c.Level) {
			t.Errorf("%s: level %q", c.ID, c.Level)
		}
	}
}

// try runs a check of a store that nothing is known about.
func try(limit time.Duration, exemptions map[string]string, run func(t *T)) Result {
	s := reference()
	s.Exempt = exemptions
	c := check{id: "test/check", level: LevelStore, run: run}
	return job{check: c, store: &s, group: "test"}.run(context.Background(), limit)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	exemptions := map[string]string{"test/check": "because"}
	pass, fail := func(*T) {}, func(t *T) { t.Error("no", "good") }
	na := func(t *T) { t.notApplicable("does not matter") }
	for _, test := range []struct {
		name       string
		run        func(t *T)
		exemptions map[string]string
		outcome    Outcome
		reason     string // a part of it
	}{
		{"pass", pass, nil, Passed, ""},
		{"fail", fail, nil, Failed, ": no good"},
		{"fail and go on", func(t *T) { t.Error("one"); t.Error("two") }, nil, Failed, "two"},
		{"fatal", func(t *T) { t.Fatalf("no %d", 1); panic("not reached") }, nil, Failed, ": no 1"},
		{"fail now", func(t *T) { t.FailNow(); panic("not reached") }, nil, Failed, ""},
		{"fail in a goroutine", func(t *T) { t.each(3, func(i int) { t.Fatalf("goroutine %d", i) }) },
			nil, Failed, "goroutine 1"},
		{"panic", func(*T) { panic("oh") }, nil, Failed, "panic: oh"},
		{"panic in a goroutine", func(t *T) { t.each(2, func(int) { panic("oh") }) }, nil, Failed,
			"panic: oh"},
		{"panic says where", func(*T) { panic("oh") }, nil, Failed, "kit_test.go"},
		{"skip", func(t *T) { t.Skip("not today") }, nil, Failed, "not today"},
		{"not applicable", na, nil, NotApplicable, "does not matter"},
		{"exempt", fail, exemptions, Exempt, "because"},
		{"exempt and panics", func(*T) { panic("oh") }, exemptions, Exempt, "because"},
		{"exempt and passes", pass, exemptions, Failed, "exemption not needed: the check passes"},
		{"exempt and not applicable", na, exemptions, Failed,
			"exemption not needed: the check does not apply: does not matter"},
		{"failed cleanup", func(t *T) { t.Cleanup(func() { t.Fatal("cannot close") }) }, nil, Failed,
			"cannot close"},
		{"panic in a cleanup", func(t *T) { t.Cleanup(func() { panic("oh") }) }, nil, Failed,
			"panic: oh"},
		{"environment", func(t *T) { t.Setenv("A", "b") }, nil, Failed, "checks run in parallel"},
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
	r := try(20*time.Millisecond, nil, func(t *T) {
		defer close(released)
		forever(t)
		t.Error("too late to count")
	})
	if r.Outcome != Failed || !strings.Contains(r.Reason, "nothing has happened for 20ms") ||
		!strings.Contains(r.Reason, "conformance.forever (kit_test.go:") {
		t.Errorf("got %s: %s", r.Outcome, r.Reason)
	}
	if n := strings.Count(r.Reason, "\n"); n > 4 {
		t.Errorf("a hang is told in %d lines:\n%s", n, r.Reason)
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

// forever waits, as a store does that never answers.
func forever(t *T) { <-t.Context().Done() }

// A check may take longer than the limit, as long as something happens.
func TestSlowIsNoHang(t *testing.T) {
	t.Parallel()
	r := try(100*time.Millisecond, nil, func(t *T) {
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
	r := try(stall, nil, func(t *T) {
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
	r := try(stall, nil, func(t *T) { helping(t) })
	direct := try(stall, nil, func(t *T) { t.Error("in a helper") })
	if !regexp.MustCompile(`^kit_test.go:\d+: in a helper$`).MatchString(r.Reason) {
		t.Errorf("reason %q", r.Reason)
	}
	line := func(s string) (n int) { _, _ = fmt.Sscanf(s, "kit_test.go:%d", &n); return n }
	if line(r.Reason)+1 != line(direct.Reason) {
		t.Errorf("the helper's failure is at %q, not at its caller, before %q", r.Reason, direct.Reason)
	}
}

func TestBackendsThatRemoveExpired(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		removes bool
		counts  []int // of each attempt to sweep 10
		outcome Outcome
	}{
		{false, []int{10}, Passed},
		{false, []int{9}, Failed},
		{true, []int{10}, Passed},
		{true, []int{9, 0, 0, 9, 10}, Passed},
		{true, []int{9, 9, 9, 9, 9}, Failed},
		{true, []int{11}, Failed},
		{true, []int{9, 11}, Failed},
	} {
		s := reference()
		s.RemovesExpired = test.removes
		attempts := 0
		sweep := func() int { attempts++; return test.counts[attempts-1] }
		c := check{id: "test/check", level: LevelStore, run: func(t *T) { t.removes(10, sweep) }}
		r := job{check: c, store: &s, group: "test"}.run(t.Context(), stall)
		if r.Outcome != test.outcome || attempts != len(test.counts) {
			t.Errorf("%+v: %s after %d attempts: %s", test, r.Outcome, attempts, r.Reason)
		}
	}
}

func TestExemptionsMustBeKnown(t *testing.T) {
	t.Parallel()
	s := reference()
	s.Exempt = map[string]string{
		"contract/no-such-check": "reason", "driver/load-missing": "of another level",
		"contract/delete": "",
	}
	r := RunStore(t.Context(), s)
	var problems []string
	for _, res := range r.Results {
		if res.Outcome == Failed && res.Check == "" {
			problems = append(problems, res.Reason)
		}
	}
	want := []string{
		`exemption of "contract/delete": the reason is missing`,
		`exemption of "contract/no-such-check": there is no such check here`,
		`exemption of "driver/load-missing": there is no such check here`,
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems %q, want %q", problems, want)
	}
	if r.Count(Failed) != len(want)+1 { // and contract/delete passes
		t.Errorf("%d failed:\n%s", r.Count(Failed), r.Summary())
	}
}

func TestSubjectsMustBeUsable(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Report{
		"no constructor": RunStore(t.Context(), Store{Name: "x"}),
		"nothing":        RunDriver(t.Context(), Driver{}),
		"no server":      RunAdapter(t.Context(), Adapter{Name: "x"}),
	} {
		if r.Count(Failed) != len(r.Results) || len(r.Results) == 0 {
			t.Errorf("%s: %s", name, r.Summary())
		}
	}
	s := reference()
	s.New = func(tb testing.TB) scs.Store { tb.Fatal("connection refused"); return nil }
	r := RunStore(t.Context(), s)
	if r.Count(Failed) != len(r.Results) ||
		!strings.Contains(r.Results[0].Reason, "connection refused") {
		t.Errorf("a store that cannot be had: %s", r.Summary())
	}
}

// TestRunWithoutGoTest runs a matrix as a program would.
// A sweep may be the first to need the client library, which keeps goroutines of its own.
func TestSweepMayOpenConnections(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	m := kitMutant("opens-a-pool", "", change{driver: func(p *patch) {
		p.sweep = func(ctx context.Context, limit int) (int, error) {
			if opened.Add(1) == 1 {
				db := sql.OpenDB(nil) // its goroutine lives until it is closed
				t.Cleanup(func() { _ = db.Close() })
			}
			return p.swept(ctx, limit)
		}
	}})
	i := slices.IndexFunc(m.jobs(), func(j job) bool { return j.check.id == "cleanup/leaks-nothing" })
	if r := m.jobs()[i].run(t.Context(), mutantStall); r.Outcome != Passed {
		t.Errorf("%v: %s", r.Outcome, r.Reason)
	}
	if opened.Load() == 0 {
		t.Error("the driver was not swept")
	}
}

func TestRunWithoutGoTest(t *testing.T) {
	t.Parallel()
	r := RunMatrix(t.Context(), nil, []Store{reference()})
	if r.Count(Failed) != 0 || r.Count(Passed) != len(checksOf(LevelStore, LevelPortable)) {
		t.Errorf("%s", r.Summary())
	}
	for _, res := range r.Results {
		if res.Adapter != "store" || res.Store != "reference" || res.Check == "" {
			t.Fatalf("a result without its subject: %+v", res)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r := RunDriver(ended, referenceDriverSubject()); r.Count(Failed) != len(r.Results) ||
		!strings.Contains(r.Results[0].Reason, "not run") {
		t.Errorf("a run that was called off: %s", r.Summary())
	}
}

func TestReportFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	var all sync.WaitGroup
	for i := range 8 { // as packages that are tested at the same time
		all.Go(func() {
			r := Report{Results: []Result{
				{Store: fmt.Sprint("store ", i), Check: "a/b", Level: LevelStore, Outcome: Passed,
					DurationMS: 3},
				{Store: "common", Check: "a/b", Level: LevelStore, Outcome: Failed,
					Reason: fmt.Sprint("by ", i)},
			}}
			if err := r.WriteFile(file); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r, err := ReadReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 9 || r.Count(Passed) != 8 {
		t.Errorf("%d results, %d passed: want 9 and 8", len(r.Results), r.Count(Passed))
	}
	var raw struct {
		Results []map[string]any `json:"results"`
	}
	data, _ := os.ReadFile(file)
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(raw.Results[1]),
		"map[check:a/b durationMS:3 level:store outcome:pass store:store 0]"; got != want {
		t.Errorf("a result is written as %s, want %s", got, want)
	}
	left, _ := filepath.Glob(file + ".*")
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	if err := os.WriteFile(file, []byte("not a report"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteFile(file); err == nil {
		t.Error("a file that is no report was overwritten")
	}
}

func TestReportFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	t.Setenv("SCSKIT_REPORT", file)
	if got := reportFile(); got != file {
		t.Errorf("report file %q, want that of the environment", got)
	}
	if reportFlag == nil {
		t.Fatal("the flag is not defined in a test")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	r := Report{Results: []Result{
		{Check: "a/1", Outcome: Passed}, {Check: "a/2", Outcome: Failed, Reason: "x"},
		{Check: "a/3", Outcome: NotApplicable, Reason: "no list"},
		{Check: "a/4", Outcome: NotApplicable, Reason: "no list"},
		{Check: "a/5", Outcome: Exempt, Reason: "declared"},
	}}
	want := "conformance: 1 passed, 1 failed, 1 exempt, 2 not applicable\n" +
		"not-applicable: a/3, a/4 (no list)\n" +
		"exempt: a/5 (declared)"
	if got := r.Summary(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
