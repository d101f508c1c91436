package canary

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRun_Queries(t *testing.T) {
	most := 0.5
	q := step.QueryParams{
		Name: "drift", Max: &most,
		Query: `drift{release="{{.Release}}",against="{{.Running}}",ns="{{.Namespace}}",env="{{.Environment}}",app="{{.Service}}"}`,
	}
	cases := []struct {
		name    string
		values  func(since time.Duration) []float64
		fails   error
		with    step.CanaryParams
		kind    fault.Kind
		verdict delivery.Verdict
		within  time.Duration
	}{
		{"in bounds", func(time.Duration) []float64 { return []float64{0.5} }, nil, step.CanaryParams{}, "", delivery.Passed, bakeTime},
		{"out of bounds", func(time.Duration) []float64 { return []float64{0.51} }, nil, step.CanaryParams{}, fault.Failed, delivery.Failed, 6 * time.Second},
		{"infinite", func(time.Duration) []float64 { return []float64{math.Inf(1)} }, nil, step.CanaryParams{}, fault.Failed, delivery.Failed, 6 * time.Second},
		{"a spike", func(since time.Duration) []float64 {
			if since > 9*time.Second && since < 13*time.Second {
				return []float64{7}
			}
			return []float64{0}
		}, nil, step.CanaryParams{}, "", delivery.Passed, bakeTime},
		{"out of bounds at the end", func(since time.Duration) []float64 {
			if since >= bakeTime {
				return []float64{7}
			}
			return []float64{0}
		}, nil, step.CanaryParams{}, fault.Failed, delivery.Failed, bakeTime},
		{"no value", func(time.Duration) []float64 { return nil }, nil, step.CanaryParams{}, fault.Unavailable, delivery.Unavailable, bakeTime},
		{"no value, accepted", func(time.Duration) []float64 { return nil }, nil, step.CanaryParams{NoTraffic: "accept"}, "", delivery.Unavailable, bakeTime},
		{"two values", func(time.Duration) []float64 { return []float64{0, 0} }, nil, step.CanaryParams{NoTraffic: "accept"}, fault.Invalid, delivery.Unavailable, 0},
		{"no answer", nil, errors.New("connection refused"), step.CanaryParams{NoTraffic: "accept"}, fault.Unavailable, delivery.Unavailable, 10 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.target = fake.WithoutMetrics{Target: s.Target, TrafficSplitter: s.Target}
				begun := time.Now()
				s.metrics.Values = func(string) []float64 { return c.values(time.Since(begun)) }
				s.metrics.Fail = func(string) error { return c.fails }
				c.with.Steps, c.with.Queries, c.with.Prometheus = steps(10), []step.QueryParams{q}, "http://prometheus"
				answers, err := s.run(t.Context(), c.with)
				wantError(t, err, c.kind, "")
				if gate := "canary 10 %: drift"; len(answers) != 1 || answers[0].Verdict != c.verdict || answers[0].Gate != gate {
					t.Errorf("gate results = %v, want %q alone, %s", answers, gate, c.verdict)
				}
				if took := time.Since(begun); took > c.within {
					t.Errorf("it took %s, want at most %s", took, c.within)
				}
				want := `drift{release="` + string(s.newRelease.ID) + `",against="` + string(s.oldRelease.ID) + `",ns="shop",env="prod",app="api"}`
				if s.metrics.Queries[0] != want {
					t.Errorf("query = %s, want %s", s.metrics.Queries[0], want)
				}
			})
		})
	}
}

// TestRun_WithoutMeasurements: a target that only splits traffic, and no query.
func TestRun_WithoutMeasurements(t *testing.T) {
	for accepts, kind := range map[step.NoTrafficPolicy]fault.Kind{"": fault.Unavailable, "fail": fault.Unavailable, "accept": ""} {
		t.Run(string(accepts), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.target = fake.WithoutMetrics{Target: s.Target, TrafficSplitter: s.Target}
				answers, err := s.run(t.Context(), step.CanaryParams{Steps: steps(10), NoTraffic: accepts})
				wantError(t, err, kind, "")
				if len(answers) != 1 || answers[0].Verdict != delivery.Unavailable {
					t.Errorf("gate results = %v, want one that is %s", answers, delivery.Unavailable)
				}
			})
		})
	}
}
