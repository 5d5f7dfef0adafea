package conformance

import (
	"fmt"
	"slices"
)

// Level says what a check runs against.
type Level string

const (
	// LevelStore checks apply to every scs.Store.
	LevelStore Level = "store"
	// LevelPortable checks apply to a *scskit.Store only.
	LevelPortable Level = "scskit"
	// LevelDriver checks apply to a driver.Driver.
	LevelDriver Level = "driver"
	// LevelAdapter checks apply to an adapter. They use the reference store.
	LevelAdapter Level = "adapter"
	// LevelPair checks apply to an adapter together with a store.
	LevelPair Level = "pair"
)

// Check describes one check. ID is "group/condition" and never changes once released. Why is the
// promise that the check verifies, with its source.
type Check struct {
	ID    string
	Why   string
	Level Level
}

// Checks returns every check of the kit, in the order in which they run.
func Checks() []Check {
	all := table()
	list := make([]Check, len(all))
	for i, c := range all {
		list[i] = Check{ID: c.id, Why: c.why, Level: c.level}
	}
	return list
}

// check is one row of a table.
type check struct {
	id    string
	level Level
	run   func(t *checkT)
	why   string
}

// table returns the tables in the order in which their checks run.
func table() []check {
	return slices.Concat(
		storeContractChecks,
		storeAllChecks,
		portableAllChecks,
		storeExpiryChecks,
		portableExpiryChecks,
		storeConcurrencyChecks,
		portableConcurrencyChecks,
		portableMergeChecks,
		portableRenewalChecks,
		portableMergeSessionChecks,
		portableReuseChecks,
		portablePeriodicChecks,
		storeDataChecks,
		portableDataChecks,
		portableForeignChecks,
		portableDataStaysChecks,
		storeHostileChecks,
		portableHostileChecks,
		portableSealedChecks,
		portableSealedRotationChecks,
		portableFaultsChecks,
		portableEventChecks,
		portableCleanupChecks,
		portableBatchChecks,
		portableUserChecks,
		portableUserDestroyChecks,
		portableSignInChecks,
		portableSignInIdleChecks,
		portableUserUpdateChecks,
		portableUpdateChecks,
		driverRecordChecks,
		driverRuleChecks,
		driverRangeChecks,
		driverSweepChecks,
		driverSchemaChecks,
		driverMovedChecks,
		driverUserChecks,
		adapterCookieChecks,
		adapterTokenChecks,
		adapterLimitChecks,
		adapterOptionChecks,
		adapterResponseChecks,
		adapterErrorChecks,
		adapterFeatureChecks,
		adapterNeighbourChecks,
		adapterAbandonChecks,
		pairSessionChecks,
		pairFailureChecks,
		pairRaceChecks,
		pairRenewalChecks,
		pairLeakChecks,
		pairPolicyChecks,
		pairTransportChecks,
		pairSignInChecks,
		pairAdoptChecks,
		pairLockChecks,
	)
}

func checksOf(levels ...Level) []check {
	return slices.DeleteFunc(table(), func(c check) bool { return !slices.Contains(levels, c.level) })
}

// exempt returns the reason if an exemption covers the check.
func exempt(c check, exemptions ...map[string]string) (reason string, ok bool) {
	for _, e := range exemptions {
		if reason, ok := e[c.id]; ok {
			return reason, true
		}
	}
	return "", false
}

// exemptionProblems returns what is wrong with the exemptions of a subject: ids that no check of
// the levels has, and missing reasons.
func exemptionProblems(exemptions map[string]string, levels ...Level) []string {
	var problems []string
	known := checksOf(levels...)
	for id, reason := range exemptions {
		switch {
		case !slices.ContainsFunc(known, func(c check) bool { return c.id == id }):
			problems = append(problems, fmt.Sprintf("exemption of %q: there is no such check here", id))
		case reason == "":
			problems = append(problems, fmt.Sprintf("exemption of %q: the reason is missing", id))
		}
	}
	slices.Sort(problems)
	return problems
}
