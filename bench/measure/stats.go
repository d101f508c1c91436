// Package measure is what the benchmarks share: commands, load, memory, the
// figures of a run of Slipway, and the table that is printed.
package measure

import (
	"slices"
	"time"
)

// Median is the middle one, or what lies between the two in the middle; 0 of nothing.
func Median(d []time.Duration) time.Duration {
	return medianOfSorted(slices.Sorted(slices.Values(d)))
}

// medianOfSorted is the median of what is sorted.
func medianOfSorted[T ~int64 | ~float64](sorted []T) T {
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Quantile is the value below which that share of d lies; 0 of nothing.
func Quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// Milliseconds is d with three digits after the point.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Ratios compares neighbours: the machine changes its mind from one minute to the
// next, so what was measured side by side is divided, and the median counts.
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
