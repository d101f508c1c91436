package quantile_test

import (
	"math"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/quantile"
)

func TestOf(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for _, c := range []struct {
		name   string
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{"smallest", values, 0, 1},
		{"median", values, .5, 3},
		{"nearest rank above", values, .7, 4},
		{"nearest rank below", values, .3, 2},
		{"largest", values, 1, 5},
		{"one value", values[:1], .95, 5},
		{"none", nil, .5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := quantile.Of(c.values, c.q); got != c.want {
				t.Errorf("Of(%v, %g) = %v, want %v", c.values, c.q, got, c.want)
			}
		})
	}
	if values[0] != 5 {
		t.Errorf("Of sorted the caller's slice: %v", values)
	}
}

func TestBuckets(t *testing.T) {
	inf := math.Inf(1)
	b := []port.Bucket{{Le: .1, Count: 50}, {Le: .2, Count: 90}, {Le: 1, Count: 99}, {Le: inf, Count: 100}}
	for _, c := range []struct {
		name   string
		b      []port.Bucket
		q      float64
		want   float64
		beyond bool
	}{
		{"at a limit", b, .5, .1, false},
		{"inside a bucket", b, .7, .15, false},
		{"first bucket", b, .25, .05, false},
		{"zero", b, 0, 0, false},
		{"zero, first bucket empty", []port.Bucket{{Le: .1}, {Le: inf, Count: 3}}, 0, 0, false},
		{"beyond the last limit", b, 1, 1, true},
		{"all beyond", []port.Bucket{{Le: 1}, {Le: inf, Count: 3}}, .5, 1, true},
		{"only infinity", []port.Bucket{{Le: inf, Count: 3}}, .5, 0, true},
		{"no infinity", []port.Bucket{{Le: 1, Count: 3}}, 1, 1, false},
		{"negative limit", []port.Bucket{{Le: -1, Count: 3}, {Le: inf, Count: 3}}, .5, -1, false},
		{"not measured", nil, .5, 0, false},
		{"no request", []port.Bucket{{Le: 1}, {Le: inf}}, .5, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, beyond := quantile.Buckets(c.b, c.q)
			if math.Abs(got-c.want) > 1e-9 || beyond != c.beyond {
				t.Errorf("Buckets(%g) = %g, %v, want %g, %v", c.q, got, beyond, c.want, c.beyond)
			}
		})
	}
	last := 0.0
	for q := 0.0; q <= 1; q += .01 {
		got, _ := quantile.Buckets(b, q)
		if got < last {
			t.Fatalf("Buckets(%g) = %g, less than %g", q, got, last)
		}
		last = got
	}
}

func TestBin(t *testing.T) {
	for _, c := range []struct {
		name   string
		counts []int64
		q      float64
		want   int
		ok     bool
	}{
		{"first", []int64{5, 3, 2}, .5, 0, true},
		{"just above", []int64{5, 3, 2}, .51, 1, true},
		{"last", []int64{5, 3, 2}, 1, 2, true},
		{"one value", []int64{0, 0, 1}, .5, 2, true},
		{"all zero", []int64{0, 0, 0}, .5, 0, false},
		{"none", nil, .5, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := quantile.Bin(c.counts, c.q); got != c.want || ok != c.ok {
				t.Errorf("Bin(%v, %g) = %d, %v, want %d, %v", c.counts, c.q, got, ok, c.want, c.ok)
			}
		})
	}
}
