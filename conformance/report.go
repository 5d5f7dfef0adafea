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
	// Passed means that the subject keeps the promise.
	Passed Outcome = "pass"
	// Failed means that the subject does not keep the promise, or has an exemption that it does not
	// need.
	Failed Outcome = "fail"
	// Exempt means that the subject does not keep the promise, and declares so in Exempt.
	Exempt Outcome = "exempt"
	// NotApplicable means that the promise does not concern the subject.
	NotApplicable Outcome = "not-applicable"
)

// Result is the outcome of one check of one subject.
type Result struct {
	// Adapter is "store" for a check of a store in a matrix, and empty if only a store or a driver was
	// checked.
	Adapter string `json:"adapter,omitempty"`
	// Store is the name of the store or the driver.
	Store   string  `json:"store,omitempty"`
	Check   string  `json:"check,omitempty"` // empty if the declaration of the subject is wrong
	Level   Level   `json:"level,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Reason explains every outcome but Passed: the failure, or what the subject declares.
	Reason     string `json:"reason,omitempty"`
	DurationMS int64  `json:"durationMS"`
}

// Report holds the results of one or more runs.
type Report struct {
	Results []Result `json:"results"`
}

// Count returns the number of results with the outcome o.
func (r Report) Count(o Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == o {
			n++
		}
	}
	return n
}

// Summary returns the counts by outcome. For each reason, a line lists the checks that are exempt
// or do not apply.
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

// WriteFile writes the report as JSON. It keeps the results that are in the file, except those of
// the same checks of the same subjects. Several processes may write to one file concurrently: they
// lock it with a file that has the suffix ".lock".
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

// ReadReport reads a file that WriteFile has written.
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

// lockAge is the age after which a lock belongs to a process that has died.
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

// sort orders the results by adapter, store, level and check.
func (r *Report) sort() { slices.SortStableFunc(r.Results, compare) }

func compare(a, b Result) int {
	return cmp.Or(
		cmp.Compare(a.Adapter, b.Adapter),
		cmp.Compare(a.Store, b.Store),
		cmp.Compare(a.Level, b.Level),
		cmp.Compare(a.Check, b.Check),
	)
}

// reportFlag is nil in programs that are not tests, which have flags of their own.
var reportFlag = func() *string {
	if !testing.Testing() {
		return nil
	}
	return flag.String("scskit.report", "",
		"write the conformance report to this file (an absolute path)")
}()

// reportFile returns the file for the report of the tests, or "". The environment variable serves
// to run packages with and without the flag together.
func reportFile() string {
	if reportFlag != nil && *reportFlag != "" {
		return *reportFlag
	}
	return os.Getenv("SCSKIT_REPORT")
}
