package promtext

import (
	"fmt"

	dto "github.com/prometheus/client_model/go"
)

// metricValue returns a counter's value, or a histogram's count.
func metricValue(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return sampleCount(m.GetHistogram())
}

// sampleCount returns a histogram's count, which is a float if any of its numbers is
// one.
func sampleCount(h *dto.Histogram) float64 {
	return uintOrFloat(h.GetSampleCount(), h.GetSampleCountFloat())
}

func uintOrFloat(n uint64, f float64) float64 {
	if n != 0 {
		return float64(n)
	}
	return f
}

// maxCount is the largest number up to which a float64 counts exactly.
const maxCount = 1 << 53

func toCount(f float64) (int64, error) {
	if !(f >= 0 && f <= maxCount) {
		return 0, fmt.Errorf("%g is not a valid number of requests", f)
	}
	return int64(f), nil
}

// addCapped adds without overflow.
func addCapped(a, b int64) int64 { return min(a+b, maxCount) }
