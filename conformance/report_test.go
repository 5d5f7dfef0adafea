package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestReportFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	var all sync.WaitGroup
	for i := range 8 { // as several packages under test do
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
	want := "map[check:a/b durationMS:3 level:store outcome:pass store:store 0]"
	if got := fmt.Sprint(raw.Results[1]); got != want {
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
