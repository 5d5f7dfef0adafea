package conformance

import "slices"

func pairChecks() []check { return slices.Concat(sessionChecks, raceChecks, policyChecks) }
