package measure

import (
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []time.Duration
		want time.Duration
	}{
		{nil, 0},
		{[]time.Duration{7}, 7},
		{[]time.Duration{9, 1, 2}, 2},
		{[]time.Duration{40, 10, 30, 20}, 25},
	} {
		if got := Median(c.of); got != c.want {
			t.Errorf("median of %v: %d, want %d", c.of, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	ours, theirs := []time.Duration{8 * time.Second, 24 * time.Second, 4 * time.Second, 12 * time.Second}, slices.Repeat([]time.Duration{8 * time.Second}, 4)
	if median, least, most := Ratios(ours, theirs); median != 1.25 || least != 0.5 || most != 3 {
		t.Errorf("%v, %v to %v; want 1.25, 0.5 to 3", median, least, most)
	}
}
