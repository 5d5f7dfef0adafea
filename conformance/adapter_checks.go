package conformance

func adapterChecks() []check { return nil }
