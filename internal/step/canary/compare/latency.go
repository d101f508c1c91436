package compare

import (
	"errors"
	"math"
	"slices"

	"github.com/slipway-cd/slipway/internal/port"
)

// Why two histograms can't be compared.
var (
	ErrNotMeasured    = errors.New("latency is not measured")
	ErrBucketMismatch = errors.New("the two releases use different latency buckets")
	ErrBucketOrder    = errors.New("the latency buckets are not in ascending order")
)

// LatencyComparison is how the latencies of two releases differ.
type LatencyComparison struct {
	Candidate, Running Quantile // p95
	// PValue is the probability (0 to 1) that ranks differ as much if neither
	// release were slower.
	PValue float64
}

// Quantile is a latency in seconds. AboveRange: it lies somewhere above the last
// limit that was measured, which Seconds is then.
type Quantile struct {
	Seconds    float64
	AboveRange bool
}

// Latency compares two histograms with the same limits. The error is one of
// the above.
//
// A p95 of a few hundred requests is noisy, and one bucket of a histogram is
// wide. So there is a second witness: the test of Mann and Whitney ("On a test of
// whether one of two random variables is stochastically larger than the other",
// 1947) over the buckets, in its normal approximation with the correction of the
// variance for ties, for all requests of one bucket are tied (Lehmann,
// "Nonparametrics", 1975, section 1.4), and for continuity. Only what both call
// slower is slower.
func Latency(candidate, running []port.Bucket) (LatencyComparison, error) {
	if empty(candidate) || empty(running) {
		return LatencyComparison{}, ErrNotMeasured
	}
	if !ordered(candidate) || !ordered(running) {
		return LatencyComparison{}, ErrBucketOrder
	}
	if !slices.EqualFunc(candidate, running, func(a, b port.Bucket) bool { return a.Le == b.Le }) {
		return LatencyComparison{}, ErrBucketMismatch
	}
	return LatencyComparison{
		Candidate: quantile(candidate, 0.95), Running: quantile(running, 0.95),
		PValue: mannWhitney(candidate, running),
	}, nil
}

// Slower reports whether the candidate's p95 is above running's by more than the
// factor, and by more than minDifference seconds. If running's p95 is beyond what
// is measured, nothing is above it.
func (s LatencyComparison) Slower(factor, minDifference float64) bool {
	if s.Running.AboveRange {
		return false
	}
	return s.Candidate.Seconds > s.Running.Seconds*factor && s.Candidate.Seconds-s.Running.Seconds > minDifference
}

func empty(b []port.Bucket) bool { return len(b) == 0 || b[len(b)-1].Count <= 0 }

// ordered reports whether limits ascend up to +Inf, and counts never fall.
func ordered(b []port.Bucket) bool {
	previous := port.Bucket{Le: math.Inf(-1)}
	for _, bucket := range b {
		if !(bucket.Le > previous.Le) || bucket.Count < previous.Count {
			return false
		}
		previous = bucket
	}
	return math.IsInf(previous.Le, 1)
}

// quantile takes the requests of a bucket for evenly spread in it, as
// Prometheus's histogram_quantile does.
func quantile(b []port.Bucket, q float64) Quantile {
	rank := q * float64(b[len(b)-1].Count)
	var previous port.Bucket
	for _, bucket := range b {
		if float64(bucket.Count) < rank {
			previous = bucket
			continue
		}
		if math.IsInf(bucket.Le, 1) {
			return Quantile{Seconds: previous.Le, AboveRange: true}
		}
		low := max(previous.Le, 0)
		if bucket.Le <= low {
			return Quantile{Seconds: bucket.Le}
		}
		inside := (rank - float64(previous.Count)) / float64(bucket.Count-previous.Count)
		return Quantile{Seconds: low + (bucket.Le-low)*inside}
	}
	return Quantile{Seconds: previous.Le, AboveRange: true}
}

// mannWhitney is the one-sided p-value that the candidate's latencies rank higher.
func mannWhitney(candidate, running []port.Bucket) float64 {
	n, m := float64(candidate[len(candidate)-1].Count), float64(running[len(running)-1].Count)
	var u, ties, cumulativeC, cumulativeR float64
	for i := range candidate {
		c, r := float64(candidate[i].Count)-cumulativeC, float64(running[i].Count)-cumulativeR
		u += c * (cumulativeR + r/2)
		t := c + r
		ties += t * (t*t - 1)
		cumulativeC, cumulativeR = cumulativeC+c, cumulativeR+r
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if !(variance > 0) {
		return 1 // all in one bucket
	}
	return normalSurvival((u - n*m/2 - 0.5) / math.Sqrt(variance))
}
