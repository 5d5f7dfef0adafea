//go:build !(linux || darwin)

package conformance

// driverMappedMutants need memory that can be taken away.
func driverMappedMutants() []mutant { return nil }
