package conformance

import (
	"slices"
	"strings"
	"time"
)

// mutant is a subject that is broken in one way, and the checks that must fail for it: these and no
// others. Where a race decides, the check's id has a tilde in front: it may fail. A check that no
// mutant is sure to trip proves nothing.
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
	return slices.Concat(
		storeContractMutants(),
		storeAllMutants(),
		storeExpiryMutants(),
		storeDataMutants(),
		portableExpiryMutants(),
		portableMergeMutants(),
		portableDataMutants(),
		portableFaultsMutants(),
		portableCleanupMutants(),
		portableRenewalMutants(),
		portableForeignMutants(),
		portableUserMutants(),
		portableStaleMutants(),
		driverRecordMutants(),
		driverRuleMutants(),
		driverListMutants(),
		driverMovedMutants(),
		driverUserMutants(),
		mappedMutants(),
		adapterResponseMutants(),
		adapterLifeMutants(),
		adapterTokenMutants(),
		adapterNeighbourMutants(),
		pairStoreMutants(),
		pairPolicyMutants(),
	)
}

// mutantStall is short: what hangs is meant to.
const mutantStall = 8 * time.Second

func (m mutant) jobs() []job {
	var jobs []job
	for _, c := range checksOf(m.levels...) {
		if !strings.HasPrefix(c.id, m.group) {
			continue
		}
		jobs = append(jobs, job{check: c, store: m.store, driver: m.driver, adapter: m.adapter,
			group: m.name})
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
