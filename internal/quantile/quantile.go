// Package quantile estimates quantiles of latencies: of single values, and of the
// two kinds of histograms that targets keep.
package quantile

import (
	"cmp"
	"math"
	"slices"

	"github.com/slipway-cd/slipway/internal/port"
)

// Of returns the value at the nearest rank to the share q (0 to 1) of values,
// which need no order; 0 if there are none.
func Of[T cmp.Ordered](values []T, q float64) T {
	if len(values) == 0 {
		var zero T
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// Buckets returns the quantile of a histogram of cumulative counts, in seconds.
// As Prometheus's histogram_quantile does, it takes the values of a bucket for
// evenly spread in it. Beyond reports that the quantile lies somewhere above the
// last finite limit, which seconds is then. It is 0 of an empty histogram.
func Buckets(b []port.Bucket, q float64) (seconds float64, beyond bool) {
	if len(b) == 0 || b[len(b)-1].Count <= 0 {
		return 0, false
	}
	rank := q * float64(b[len(b)-1].Count)
	var before port.Bucket
	for _, bucket := range b {
		if float64(bucket.Count) < rank {
			before = bucket
			continue
		}
		if math.IsInf(bucket.Le, 1) {
			return before.Le, true
		}
		low := max(before.Le, 0)
		if bucket.Le <= low {
			return bucket.Le, false
		}
		if bucket.Count == before.Count { // q is 0
			return low, false
		}
		inside := (rank - float64(before.Count)) / float64(bucket.Count-before.Count)
		return low + (bucket.Le-low)*inside, false
	}
	return before.Le, true
}

// Bin returns the index of the bin in which the share q of all counts is reached.
// Unlike those of Buckets, counts are not cumulative. ok is false if all are 0.
func Bin(counts []int64, q float64) (index int, ok bool) {
	var all int64
	for _, n := range counts {
		all += n
	}
	if all <= 0 {
		return 0, false
	}
	rank, sum := int64(math.Ceil(q*float64(all))), int64(0)
	for i, n := range counts {
		if sum += n; sum >= rank {
			return i, true
		}
	}
	return len(counts) - 1, true
}
