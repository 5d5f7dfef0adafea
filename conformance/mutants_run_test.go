//go:build !race

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Every check fails for the mutants that are broken in its way, and for no other. Under the race
// detector that would take four times as long and two gigabytes, and the checks run under it
// against what works.
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
			if id := j.check.id; slices.Contains(want, id) != slices.Contains(failed[i], id) &&
				!slices.Contains(m.fails, "~"+id) {
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
				t.Errorf("fails %s\nwant  %s\n%s", strings.Join(failed[i], " "), strings.Join(want, " "),
					reasons[i].String())
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
