package conformance

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/v2"
)

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
		c := check{id: "test/check", level: LevelStore, run: func(t *checkT) { t.wantRemoved(10, sweep) }}
		r := job{check: c, store: &s, group: "test"}.run(t.Context(), stall)
		if r.Outcome != test.outcome || attempts != len(test.counts) {
			t.Errorf("%+v: %s after %d attempts: %s", test, r.Outcome, attempts, r.Reason)
		}
	}
}

// A sweep may be the first operation that opens connections, which have goroutines of their own.
func TestSweepMayOpenConnections(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	m := portableMutant("opens-a-pool", "", "", change{driver: func(p *patch) {
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
