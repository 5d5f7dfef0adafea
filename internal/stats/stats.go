// Package stats computes statistics of measurements.
package stats

import "slices"

// Median returns the value in the middle of the sorted values; of an even number, the mean of the
// two in the middle. It does not change values, and panics if there are none.
func Median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
