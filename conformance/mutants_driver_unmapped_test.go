//go:build !(linux || darwin)

package conformance

// mappedMutants need memory that can be taken away.
func mappedMutants() []mutant { return nil }
