// Package measure is shared by the benchmarks: commands, load, memory, the timeline
// of a Slipway run, and the table that is printed.
package measure

import (
	"slices"
	"time"
)

// Median returns the median, which is the mean of the middle two for an even number;
// 0 for an empty slice.
func Median(d []time.Duration) time.Duration {
	return medianOfSorted(slices.Sorted(slices.Values(d)))
}

// medianOfSorted returns the median of a sorted slice.
func medianOfSorted[T ~int64 | ~float64](sorted []T) T {
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Milliseconds returns d in milliseconds, with microsecond precision.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Ratios compares pairwise: the speed of the machine varies from one minute to the
// next, so the ratio of adjacent measurements is taken, and then the median.
func Ratios(ours, theirs []time.Duration) (median, lowest, highest float64) {
	var all []float64
	for i := range min(len(ours), len(theirs)) {
		all = append(all, ours[i].Seconds()/theirs[i].Seconds())
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return medianOfSorted(all), all[0], all[len(all)-1]
}
