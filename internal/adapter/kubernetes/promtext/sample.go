package promtext

import (
	"errors"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Add sums the samples of several replicas. Histograms are added if they have the
// same buckets; otherwise the sum has none. Replicas without requests do not matter.
func Add(samples ...port.Sample) port.Sample {
	var sum port.Sample
	mismatched := false
	for _, s := range samples {
		sum.Requests = addCapped(sum.Requests, s.Requests)
		sum.Errors = addCapped(sum.Errors, s.Errors)
		sum.Resets += s.Resets
		switch {
		case len(s.Latency) == 0:
			mismatched = mismatched || s.Requests > 0
		case len(sum.Latency) == 0:
			sum.Latency = slices.Clone(s.Latency)
		case !sameBounds(sum.Latency, s.Latency):
			mismatched = true
		default:
			for i, b := range s.Latency {
				sum.Latency[i].Count = addCapped(sum.Latency[i].Count, b.Count)
			}
		}
	}
	if mismatched {
		sum.Latency = nil
	}
	return sum
}

// BeganAnew reports whether a replica's counters were reset between two samples: one of
// them decreased, as when its process restarts.
func BeganAnew(after, before port.Sample) bool {
	if after.Requests < before.Requests || after.Errors < before.Errors {
		return true
	}
	if len(before.Latency) == 0 || !sameBounds(after.Latency, before.Latency) {
		return false
	}
	for i, b := range after.Latency {
		if b.Count < before.Latency[i].Count {
			return true
		}
	}
	return false
}

// Sub returns the difference between two samples of one replica. If a counter
// decreased, the process has restarted, and all of after is new.
func Sub(after, before port.Sample) port.Sample {
	if after.Requests < before.Requests || after.Errors < before.Errors {
		return after
	}
	delta := port.Sample{Requests: after.Requests - before.Requests, Errors: after.Errors - before.Errors}
	switch {
	case len(before.Latency) == 0:
		delta.Latency = slices.Clone(after.Latency)
		return delta
	case !sameBounds(after.Latency, before.Latency):
		return after
	}
	for i, b := range after.Latency {
		count := b.Count - before.Latency[i].Count
		if count < 0 {
			return after
		}
		delta.Latency = append(delta.Latency, port.Bucket{Le: b.Le, Count: count})
	}
	return delta
}

func sameBounds(a, b []port.Bucket) bool {
	return slices.EqualFunc(a, b, func(x, y port.Bucket) bool { return x.Le == y.Le })
}

// mergeHistograms adds the series of a histogram. Series with different buckets are
// an error: their sum would be wrong.
func mergeHistograms(f family, skip func(family, *dto.Metric) bool) ([]port.Bucket, error) {
	var sum port.Sample
	for _, m := range f.GetMetric() {
		if skip(f, m) {
			continue
		}
		one, err := readHistogram(m.GetHistogram())
		if err != nil {
			return nil, fault.New(fault.Unavailable, "read %s of the service's metrics", f.name).Cause(err)
		}
		sum = Add(sum, port.Sample{Requests: one[len(one)-1].Count, Latency: one})
		if sum.Latency == nil {
			return nil, fault.New(fault.Unavailable, "%s of the service's metrics has series with different buckets", f.name)
		}
	}
	return sum.Latency, nil
}

// readHistogram returns the sorted buckets of one series. The last one is the total.
func readHistogram(h *dto.Histogram) ([]port.Bucket, error) {
	all, err := toCount(sampleCount(h))
	if err != nil {
		return nil, err
	}
	var out []port.Bucket
	for _, b := range h.GetBucket() {
		if le := b.GetUpperBound(); math.IsNaN(le) || math.IsInf(le, 0) {
			continue
		}
		n, err := toCount(uintOrFloat(b.GetCumulativeCount(), b.GetCumulativeCountFloat()))
		if err != nil {
			return nil, err
		}
		out = append(out, port.Bucket{Le: b.GetUpperBound(), Count: n})
	}
	slices.SortFunc(out, func(a, b port.Bucket) int {
		if a.Le < b.Le {
			return -1
		}
		return 1
	})
	out = append(out, port.Bucket{Le: math.Inf(1), Count: all})
	for i := 1; i < len(out); i++ {
		if out[i].Le == out[i-1].Le || out[i].Count < out[i-1].Count {
			return nil, errors.New("its buckets are not in order")
		}
	}
	return out, nil
}
