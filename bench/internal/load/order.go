package load

import (
	"cmp"
	"slices"
	"time"
)

// Percentile returns the time within which a share p (0 to 1) of the sorted times ended: 1 is the
// longest. It is zero of none.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// Median returns the value in the middle, of an even number the mean of the two there; zero of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// LowerMedian returns the value in the middle, the lower one of two; zero of none. It is one that was
// measured.
func LowerMedian[T cmp.Ordered](values []T) T {
	if len(values) == 0 {
		var none T
		return none
	}
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}
