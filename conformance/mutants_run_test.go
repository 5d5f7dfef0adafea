//go:build !race

package conformance

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scskit/scskit/internal/mutants"
)

var update = flag.Bool("update", false, "write the golden files of the mutants; see mutants.Golden")

// TestMutants runs every mutant against the checks of its levels. It must trip its own check and
// those in its golden file, and no other. The test does not run under the race detector, where it
// would take four times as long and two gigabytes; the checks run there against correct subjects.
func TestMutants(t *testing.T) {
	tables := mutantTables()
	var all []*trial
	for _, table := range tables {
		golden := table.read(t)
		for _, m := range table.mutants {
			all = append(all, &trial{mutant: m, golden: golden})
		}
	}
	var done sync.WaitGroup
	slots := make(chan struct{}, 24) // they mostly wait
	for _, trial := range all {
		for _, j := range trial.jobs() {
			slots <- struct{}{}
			done.Go(func() {
				defer func() { <-slots }()
				trial.run(t, j)
			})
		}
	}
	done.Wait()
	for _, trial := range all {
		t.Run(trial.Name, trial.judge)
	}
	if !*update {
		return
	}
	i := 0
	for _, table := range tables {
		if len(table.mutants) == 0 {
			continue
		}
		golden := all[i].golden
		i += len(table.mutants)
		golden.Prune(table.described(), isCheck)
		if err := golden.Write(table.golden(), table.described()); err != nil {
			t.Error(err)
		}
	}
}

// trial is a mutant, its golden file, and what it has tripped.
type trial struct {
	mutant
	golden mutants.Golden

	mu      sync.Mutex
	tripped []string
	reasons strings.Builder
}

func (tr *trial) run(t *testing.T, j job) {
	r := j.run(t.Context(), mutantStall)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	id := j.check.id
	tr.tripped = slices.DeleteFunc(tr.tripped, func(other string) bool { return other == id })
	if r.Outcome == Failed {
		tr.tripped = append(tr.tripped, id)
		fmt.Fprintf(&tr.reasons, "%s: %.300s\n", id, r.Reason)
	}
}

// judge compares what the mutant has tripped with its golden file, or updates the file. Before that
// it runs each check with an unexpected outcome again, alone and up to three times: the machine may
// have been busy, and what a mutant does to a check of concurrency is a matter of chance.
func (tr *trial) judge(t *testing.T) {
	for _, j := range tr.jobs() {
		expect := tr.expect(tr.golden, j.check.id)
		for range 3 {
			tripped := slices.Contains(tr.tripped, j.check.id)
			if expect == mutants.May || tripped == (expect == mutants.Must) {
				break
			}
			tr.run(t, j)
		}
	}
	tripped := slices.DeleteFunc(slices.Clone(tr.tripped), func(id string) bool {
		return tr.chance && id != tr.Check
	})
	slices.Sort(tripped)
	if *update {
		if err := tr.golden.Update(tr.Mutant, tripped); err != nil {
			t.Error(err)
		}
		return
	}
	for _, problem := range tr.golden.Diff(tr.Mutant, tripped) {
		t.Errorf("%s %s", tr.Name, problem)
	}
	if t.Failed() {
		t.Logf("defect: %s\n%s", tr.Defect, tr.reasons.String())
	}
}
