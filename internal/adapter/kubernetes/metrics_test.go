package kubernetes

import (
	"math"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

func TestLatency(t *testing.T) {
	inf := math.Inf(1)
	s := port.Sample{Latency: []port.Bucket{{Le: .1, Count: 50}, {Le: .2, Count: 90}, {Le: 1, Count: 99}, {Le: inf, Count: 100}}}
	for _, c := range []struct {
		name string
		s    port.Sample
		q    float64
		want time.Duration
	}{
		{"half", s, .5, 100 * time.Millisecond},
		{"between", s, .7, 150 * time.Millisecond},
		{"low", s, .25, 50 * time.Millisecond},
		{"beyond the last limit", s, 1, time.Second},
		{"not measured", port.Sample{Requests: 5}, .5, 0},
		{"no request", port.Sample{Latency: []port.Bucket{{Le: 1}, {Le: inf}}}, .5, 0},
		{"all slow", port.Sample{Latency: []port.Bucket{{Le: 1}, {Le: inf, Count: 3}}}, .5, time.Second},
		{"only infinity", port.Sample{Latency: []port.Bucket{{Le: inf, Count: 3}}}, .5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := latency(c.s, c.q); (got - c.want).Abs() > time.Microsecond {
				t.Errorf("latency = %s, want %s", got, c.want)
			}
		})
	}
	last := time.Duration(0)
	for q := 0.01; q <= 1; q += .01 {
		got := latency(s, q)
		if got < last {
			t.Fatalf("the quantile %g is %s, less than %s", q, got, last)
		}
		last = got
	}
}
