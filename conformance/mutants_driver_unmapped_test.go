//go:build !(linux || darwin)

package conformance

// driverMappedMutants needs mmap.
func driverMappedMutants() []mutant { return nil }
