package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/mutants"
)

// mutant is a subject that is broken in one way. It must trip its own check, Mutant.Check, and
// those in the golden file of its table.
type mutant struct {
	mutants.Mutant
	levels  []Level // the levels of the checks that it runs
	store   *Store
	driver  *Driver
	adapter *Adapter
	group   string // the prefix of the checks that it runs, or "" for all
	chance  bool   // it may trip any other check by chance: there are none in the golden file
}

// mutantTable is a table of mutants. Its name is part of the name of its golden file.
type mutantTable struct {
	name    string
	mutants []mutant
}

func mutantTables() []mutantTable {
	return []mutantTable{
		{"store_contract", storeContractMutants()},
		{"store_all", storeAllMutants()},
		{"store_expiry", storeExpiryMutants()},
		{"store_data", storeDataMutants()},
		{"portable_expiry", portableExpiryMutants()},
		{"portable_merge", portableMergeMutants()},
		{"portable_data", portableDataMutants()},
		{"portable_sealed", portableSealedMutants()},
		{"portable_faults", portableFaultsMutants()},
		{"portable_cleanup", portableCleanupMutants()},
		{"portable_renewal", portableRenewalMutants()},
		{"portable_foreign", portableForeignMutants()},
		{"portable_user", portableUserMutants()},
		{"portable_signin", portableSignInMutants()},
		{"portable_stale", portableStaleMutants()},
		{"portable_renewal_reuse", portableReuseMutants()},
		{"portable_renewal_periodic", portablePeriodicMutants()},
		{"portable_update", portableUpdateMutants()},
		{"driver_record", driverRecordMutants()},
		{"driver_rules", driverRuleMutants()},
		{"driver_list", driverListMutants()},
		{"driver_moved", driverMovedMutants()},
		{"driver_user", driverUserMutants()},
		{"driver_mapped", driverMappedMutants()},
		{"adapter_response", adapterResponseMutants()},
		{"adapter_life", adapterLifeMutants()},
		{"adapter_token", adapterTokenMutants()},
		{"adapter_limit", adapterLimitMutants()},
		{"adapter_option", adapterOptionMutants()},
		{"adapter_neighbour", adapterNeighbourMutants()},
		{"pair_store", pairStoreMutants()},
		{"pair_policy", pairPolicyMutants()},
		{"pair_renewal", pairRenewalMutants()},
		{"pair_signin", pairSignInMutants()},
		{"pair_adopt", pairAdoptMutants()},
		{"pair_lock", pairLockMutants()},
	}
}

func (t mutantTable) golden() string { return "testdata/mutants_" + t.name + ".txt" }

func (t mutantTable) read(tb testing.TB) mutants.Golden {
	tb.Helper()
	g, err := mutants.Read(t.golden())
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func (t mutantTable) described() []mutants.Mutant {
	list := make([]mutants.Mutant, len(t.mutants))
	for i, m := range t.mutants {
		list[i] = m.Mutant
	}
	return list
}

// mutantStall is short, because a mutant that hangs does so on purpose.
const mutantStall = 8 * time.Second

func (m mutant) jobs() []job {
	var jobs []job
	for _, c := range checksOf(m.levels...) {
		if !strings.HasPrefix(c.id, m.group) {
			continue
		}
		jobs = append(jobs, job{check: c, store: m.store, driver: m.driver, adapter: m.adapter,
			group: m.Name})
	}
	return jobs
}

// expect returns whether the mutant trips a check.
func (m mutant) expect(g mutants.Golden, id string) mutants.Expectation {
	e := g.Expect(m.Mutant, id)
	if e == mutants.MustNot && m.chance {
		return mutants.May
	}
	return e
}

func isCheck(id string) bool {
	return slices.ContainsFunc(table(), func(c check) bool { return c.id == id })
}

// TestGoldenFiles checks that the golden files match the mutants, and that every check has a mutant
// that is sure to trip it.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	tripped := make(map[string]bool)
	names := make(map[string]bool)
	for _, table := range mutantTables() {
		if len(table.mutants) == 0 {
			continue // not on this system
		}
		golden := table.read(t)
		for _, problem := range golden.Stale(table.described(), isCheck) {
			t.Errorf("%s: %s; run go test -run Mutants -update", table.golden(), problem)
		}
		for _, m := range table.mutants {
			if names[m.Name] {
				t.Errorf("%s: two mutants have this name", m.Name)
			}
			names[m.Name] = true
			if m.Check != "" && (!isCheck(m.Check) || m.Defect == "") {
				t.Errorf("%s: check %q, defect %q: want a check that exists and a defect", m.Name, m.Check,
					m.Defect)
			}
			for _, id := range golden.Sure(m.Mutant) {
				tripped[id] = true
			}
		}
	}
	for _, c := range table() {
		if !tripped[c.id] {
			t.Errorf("no mutant is sure to trip %s", c.id)
		}
	}
}
