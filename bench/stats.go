package main

import (
	"slices"
	"time"
)

func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

// quantile is the value below which that share of d lies; 0 of nothing.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
