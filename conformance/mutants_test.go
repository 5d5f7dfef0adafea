package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutant is a subject that is broken in one way, and the checks that must fail for it: these
// and no others. Where a race decides, the check's id has a tilde in front: it may fail. A check that
// no mutant is sure to trip proves nothing.
type mutant struct {
	name    string
	levels  []Level // of the checks that it runs
	store   *Store
	driver  *Driver
	adapter *Adapter
	fails   []string
	group   string // of the only checks that it runs; empty for all of its levels
}

func mutants() []mutant {
	return slices.Concat(storeMutants(), kitMutants(), kitFaultMutants(), renewalMutants(), foreignMutants(), driverMutants(), driverListMutants(), driverMovedMutants(), mappedMutants(), userMutants(), driverUserMutants(), adapterMutants(), neighbourMutants())
}

// mutantStall is short: what hangs is meant to.
const mutantStall = 8 * time.Second

func (m mutant) jobs() []job {
	var jobs []job
	for _, c := range checksOf(m.levels...) {
		if !strings.HasPrefix(c.id, m.group) {
			continue
		}
		jobs = append(jobs, job{check: c, store: m.store, driver: m.driver, adapter: m.adapter, group: m.name})
	}
	return jobs
}

// sure returns the ids, in order, that no race decides.
func (m mutant) sure(ids []string) []string {
	sure := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return strings.HasPrefix(id, "~") || slices.Contains(m.fails, "~"+id)
	})
	slices.Sort(sure)
	return sure
}

func TestMutants(t *testing.T) {
	all := mutants()
	failed := make([][]string, len(all))
	reasons := make([]strings.Builder, len(all))
	var mu sync.Mutex
	var done sync.WaitGroup
	slots := make(chan struct{}, 24) // they mostly wait
	for i, m := range all {
		for _, j := range m.jobs() {
			slots <- struct{}{}
			done.Go(func() {
				defer func() { <-slots }()
				r := j.run(t.Context(), mutantStall)
				if r.Outcome != Failed {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				failed[i] = append(failed[i], j.check.id)
				fmt.Fprintf(&reasons[i], "%s: %.300s\n", j.check.id, r.Reason)
			})
		}
	}
	done.Wait()

	tripped := make(map[string]bool)
	levels := make(map[Level]bool)
	for i, m := range all {
		want := m.sure(m.fails)
		failed[i] = m.sure(failed[i])
		for _, j := range m.jobs() {
			// The machine was busy; what did not end as wanted is run again alone.
			if id := j.check.id; slices.Contains(want, id) != slices.Contains(failed[i], id) && !slices.Contains(m.fails, "~"+id) {
				failed[i] = slices.DeleteFunc(failed[i], func(f string) bool { return f == id })
				if r := j.run(t.Context(), mutantStall); r.Outcome == Failed {
					failed[i] = append(failed[i], id)
					fmt.Fprintf(&reasons[i], "%s, alone: %.300s\n", id, r.Reason)
				}
			}
		}
		slices.Sort(failed[i])
		t.Run(m.name, func(t *testing.T) {
			if !slices.Equal(failed[i], want) {
				t.Errorf("fails %s\nwant  %s\n%s", strings.Join(failed[i], " "), strings.Join(want, " "), reasons[i].String())
			}
		})
		for _, id := range failed[i] {
			tripped[id] = true
		}
		for _, l := range m.levels {
			levels[l] = true
		}
	}
	for _, c := range table() {
		if levels[c.level] && !tripped[c.id] {
			t.Errorf("no mutant trips %s", c.id)
		}
	}
}
