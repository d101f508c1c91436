package canary

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRun_InvalidParams(t *testing.T) {
	one := 1.0
	ok := func(change func(*step.CanaryParams)) step.CanaryParams {
		w := step.CanaryParams{Steps: steps(10, 50), Prometheus: "http://p", Queries: []step.QueryParams{{Name: "q", Query: "up", Max: &one}}}
		change(&w)
		return w
	}
	bad := map[string]step.CanaryParams{
		"no steps":             ok(func(w *step.CanaryParams) { w.Steps = nil }),
		"follows one of":       ok(func(w *step.CanaryParams) { w.Steps = steps(50, 50) }),
		"step of 100 %":        ok(func(w *step.CanaryParams) { w.Steps = steps(100) }),
		"step of 0 %":          ok(func(w *step.CanaryParams) { w.Steps = steps(0) }),
		"no bake time":         ok(func(w *step.CanaryParams) { w.Steps[1].Bake = 0 }),
		"no_traffic":           ok(func(w *step.CanaryParams) { w.NoTraffic = "maybe" }),
		"min_requests":         ok(func(w *step.CanaryParams) { w.MinRequests = -1 }),
		"error_margin":         ok(func(w *step.CanaryParams) { w.ErrorMargin = 1 }),
		"latency_margin":       ok(func(w *step.CanaryParams) { w.LatencyMargin = 0.5 }),
		"confidence":           ok(func(w *step.CanaryParams) { w.Confidence = 95 }),
		"require a Prometheus": ok(func(w *step.CanaryParams) { w.Prometheus = "" }),
		"neither min nor":      ok(func(w *step.CanaryParams) { w.Queries[0].Max = nil }),
		`query "q"`:            ok(func(w *step.CanaryParams) { w.Queries[0].Query = "{{.Pod}}" }),
	}
	s := newFixture(t)
	for says, w := range bad {
		t.Run(says, func(t *testing.T) {
			if _, err := s.run(t.Context(), w); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
				t.Errorf("error = %v, want %s with %q", err, fault.Invalid, says)
			}
		})
	}
	s.target = fake.WithoutTraffic{Target: s.Target}
	if _, err := s.run(t.Context(), ok(func(*step.CanaryParams) {})); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "traffic splitting") {
		t.Errorf("error = %v, want %s with %q", err, fault.Invalid, "traffic splitting")
	}
	if slices.ContainsFunc(s.Target.Calls, func(call string) bool { return strings.HasPrefix(call, "SetWeight") }) {
		t.Errorf("calls of the target = %q, want none that sets a weight", s.Target.Calls)
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 12: "12", 999: "999", 2810: "2,810", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := formatCount(n); got != want {
			t.Errorf("formatCount(%d) = %q, want %q", n, got, want)
		}
	}
	for chance, want := range map[float64]string{0.04: "96.0 % confidence", 0.00015: "99.9 % confidence", 1e-9: "more than 99.99 % confidence"} {
		if got := formatConfidence(chance); got != want {
			t.Errorf("formatConfidence(%g) = %q, want %q", chance, got, want)
		}
	}
}
