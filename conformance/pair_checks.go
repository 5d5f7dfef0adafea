package conformance

func pairChecks() []check { return nil }
