package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Outcome says how a check ended.
type Outcome string

const (
	// Passed says that the subject keeps the promise.
	Passed Outcome = "pass"
	// Failed says that it does not, or that it is exempt and need not be.
	Failed Outcome = "fail"
	// Exempt says that it does not, as it declares.
	Exempt Outcome = "exempt"
	// NotApplicable says that the promise means nothing to this subject.
	NotApplicable Outcome = "not-applicable"
)

// Result is how one check of one subject ended.
type Result struct {
	// Adapter is "store" for a check of a store in a matrix, and empty
	// where only a store or a driver was checked.
	Adapter string `json:"adapter,omitempty"`
	// Store is the name of the store or the driver.
	Store   string  `json:"store,omitempty"`
	Check   string  `json:"check,omitempty"` // empty if the subject itself is at fault
	Level   Level   `json:"level,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Reason says why, unless the outcome is Passed: what was seen, or what the
	// subject declares.
	Reason     string `json:"reason,omitempty"`
	DurationMS int64  `json:"durationMS"`
}

// Report holds the results of one or more runs.
type Report struct {
	Results []Result `json:"results"`
}

// Count returns how many results have the outcome o.
func (r Report) Count(o Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			n++
		}
	}
	return n
}

// Summary returns the counts by outcome and, in a line for each reason, the
// checks that are exempt or do not apply.
func (r Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "conformance: %d passed, %d failed, %d exempt, %d not applicable",
		r.Count(Passed), r.Count(Failed), r.Count(Exempt), r.Count(NotApplicable))
	type cause struct {
		outcome Outcome
		reason  string
	}
	checks := make(map[cause][]string)
	var causes []cause
	for _, res := range r.Results {
		if res.Outcome != Exempt && res.Outcome != NotApplicable {
			continue
		}
		c := cause{res.Outcome, res.Reason}
		if checks[c] == nil {
			causes = append(causes, c)
		}
		if !slices.Contains(checks[c], res.Check) {
			checks[c] = append(checks[c], res.Check)
		}
	}
	for _, c := range causes {
		fmt.Fprintf(&b, "\n%s: %s (%s)", c.outcome, strings.Join(checks[c], ", "), c.reason)
	}
	return b.String()
}

// WriteFile writes the report as JSON. Results that the file holds already are kept, except
// those of the same check of the same subject. Several processes may write to one file at
// the same time: a file with the suffix ".lock" beside it is held meanwhile.
func (r Report) WriteFile(name string) error {
	unlock, err := lock(name + ".lock")
	if err != nil {
		return fmt.Errorf("conformance: report: %w", err)
	}
	defer unlock()
	old, err := ReadReport(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	merged := Report{Results: slices.DeleteFunc(old.Results, func(o Result) bool {
		return slices.ContainsFunc(r.Results, func(n Result) bool { return compare(o, n) == 0 })
	})}
	merged.Results = append(merged.Results, r.Results...)
	merged.sort()
	data, err := json.MarshalIndent(merged, "", "\t")
	if err != nil {
		return fmt.Errorf("conformance: report: %w", err)
	}
	part := name + ".part"
	if err := os.WriteFile(part, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("conformance: report: %w", err)
	}
	if err := os.Rename(part, name); err != nil {
		return fmt.Errorf("conformance: report: %w", err)
	}
	return nil
}

// ReadReport reads what WriteFile has written.
func ReadReport(name string) (Report, error) {
	var r Report
	data, err := os.ReadFile(name)
	if err != nil {
		return r, fmt.Errorf("conformance: report: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("conformance: report %s: %w", filepath.Base(name), err)
	}
	return r, nil
}

// lockAge is the age at which a lock was left behind by a process that died.
const lockAge = 10 * time.Second

func lock(name string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() { _ = os.Remove(name) }, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > lockAge {
			_ = os.Remove(name)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sort brings the results into the order of the subjects' names, the levels and the ids.
func (r *Report) sort() { slices.SortStableFunc(r.Results, compare) }

func compare(a, b Result) int {
	return cmp.Or(
		cmp.Compare(a.Adapter, b.Adapter),
		cmp.Compare(a.Store, b.Store),
		cmp.Compare(a.Level, b.Level),
		cmp.Compare(a.Check, b.Check),
	)
}

// reportFlag is nil in programs that are not tests: they have flags of their own.
var reportFlag = func() *string {
	if !testing.Testing() {
		return nil
	}
	return flag.String("scskit.report", "",
		"write the conformance report to this file (an absolute path)")
}()

// reportFile is where the tests write the report, if anywhere. The environment
// serves to run packages that do not know the flag together with those that do.
func reportFile() string {
	if reportFlag != nil && *reportFlag != "" {
		return *reportFlag
	}
	return os.Getenv("SCSKIT_REPORT")
}
