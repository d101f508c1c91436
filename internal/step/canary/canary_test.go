package canary

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

const env = delivery.Environment("prod")

// fixture is an environment whose old release is deployed, and whose new one is staged.
type fixture struct {
	*fake.Environment
	metrics                fake.MetricsProvider
	target                 port.Target
	oldRelease, newRelease delivery.ReleaseRecord
	order                  port.DeployRequest
	emitted                []delivery.GateResult
	progress               []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := &fixture{Environment: fake.NewEnvironment()}
	s.target = s.Target
	s.oldRelease, s.newRelease = s.Release(1), s.Release(2)
	s.Serve(env, "20260101-000000-aaaa", s.oldRelease, time.Now())
	s.order = port.DeployRequest{Service: "api", Environment: env, ID: s.newRelease.ID, Release: s.newRelease.Release}
	if _, err := s.Target.Stage(t.Context(), s.order, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *fixture) run(ctx context.Context, w step.CanaryParams) ([]delivery.GateResult, error) {
	r := step.Request{
		Service: "api", Environment: env, OnProgress: func(text string) { s.progress = append(s.progress, text) },
		Emit: func(e event.Event) { s.emitted = append(s.emitted, *e.GateResult) },
	}
	c := Runner{Metrics: &s.metrics, Namespace: "shop"}
	return c.Run(ctx, r, s.target, s.order, s.oldRelease.ID, w)
}

// rates lets traffic come in: candidate and running requests per second, of which
// these shares fail, and the latency of each.
type rates struct {
	perSecond, beside float64
	bad, good         float64
	slow              bool
}

func (s *fixture) traffic(r rates) {
	s.Target.Samples = func(_ delivery.ReleaseID, since time.Time) (port.Sample, port.Sample) {
		passed := time.Since(since).Seconds()
		return sample(passed*r.perSecond, r.bad, r.slow), sample(passed*r.beside, r.good, false)
	}
}

func sample(requests, bad float64, slow bool) port.Sample {
	n := int64(math.Round(requests))
	fast := n
	if slow {
		fast = n / 10
	}
	return port.Sample{Requests: n, Errors: int64(math.Round(requests * bad)), Latency: []port.Bucket{
		{Le: 0.05, Count: fast}, {Le: 0.5, Count: n}, {Le: math.Inf(1), Count: n},
	}}
}

const bakeTime = 30 * time.Second

func steps(weights ...int) []step.CanaryStep {
	var all []step.CanaryStep
	for _, w := range weights {
		all = append(all, step.CanaryStep{Weight: w, Bake: delivery.Duration(bakeTime)})
	}
	return all
}

// wantError fails unless err is of the kind and has the text; no kind is no error.
func wantError(t *testing.T, err error, kind fault.Kind, text string) {
	t.Helper()
	if kind == "" {
		if err != nil {
			t.Errorf("error = %v, want none", err)
		}
		return
	}
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("error = %v, want %s with %q", err, kind, text)
	}
}

func TestRun(t *testing.T) {
	ten := rates{perSecond: 10, beside: 90}
	cases := []struct {
		name     string
		traffic  rates
		with     step.CanaryParams
		kind     fault.Kind // empty: it may be promoted
		min      time.Duration
		max      time.Duration
		verdicts map[string]delivery.Verdict // by gate
		says     string
	}{
		{"as good", ten, step.CanaryParams{Steps: steps(10, 50)}, "", 2 * bakeTime, 2 * bakeTime, map[string]delivery.Verdict{
			"canary 10 %: error rate": delivery.Passed, "canary 10 %: latency": delivery.Passed,
			"canary 50 %: error rate": delivery.Passed, "canary 50 %: latency": delivery.Passed,
		}, ""},
		{"as bad", rates{10, 90, 0.2, 0.2, false}, step.CanaryParams{Steps: steps(10)}, "", bakeTime, bakeTime, nil, ""},
		{"better", rates{10, 90, 0, 0.2, false}, step.CanaryParams{Steps: steps(10)}, "", bakeTime, bakeTime, nil, ""},
		{"half fail", rates{10, 90, 0.5, 0, false}, step.CanaryParams{Steps: steps(10, 50)}, fault.Failed, 0, 3 * time.Second, map[string]delivery.Verdict{
			"canary 10 %: error rate": delivery.Failed,
		}, "worse by more than 1 % with more than 99.99 % confidence"},
		{"all fail, and few come", rates{1, 20, 1, 0, false}, step.CanaryParams{Steps: steps(10)}, fault.Failed, 9 * time.Second, 12 * time.Second, nil, "candidate 10 of 10 failed"},
		{"worse by little, seen at the end", rates{10, 90, 0.03, 0, false}, step.CanaryParams{Steps: steps(10)}, fault.Failed, bakeTime, bakeTime, nil, "candidate 9 of 300 failed (3.00 %)"},
		{"worse within the margin", rates{10, 90, 0.03, 0, false}, step.CanaryParams{Steps: steps(10), ErrorMargin: 0.05}, "", bakeTime, bakeTime, nil, ""},
		{"slow", rates{10, 90, 0, 0, true}, step.CanaryParams{Steps: steps(10)}, fault.Failed, 0, 10 * time.Second, map[string]delivery.Verdict{
			"canary 10 %: latency": delivery.Failed,
		}, "slower by more than 20 %"},
		{"slow within the margin", rates{10, 90, 0, 0, true}, step.CanaryParams{Steps: steps(10), LatencyMargin: 20}, "", bakeTime, bakeTime, nil, ""},
		{"no traffic", rates{0, 90, 0, 0, false}, step.CanaryParams{Steps: steps(10, 50)}, fault.Unavailable, bakeTime, bakeTime, map[string]delivery.Verdict{
			"canary 10 %: traffic": delivery.Unavailable,
		}, "no traffic reached the canary in 30s at 10 %"},
		{"no traffic is accepted", rates{0, 90, 0, 0, false}, step.CanaryParams{Steps: steps(10), NoTraffic: "accept"}, "", bakeTime, bakeTime, map[string]delivery.Verdict{
			"canary 10 %: traffic": delivery.Unavailable,
		}, ""},
		{"not enough samples", rates{0.4, 90, 0, 0, false}, step.CanaryParams{Steps: steps(10)}, fault.Unavailable, bakeTime, bakeTime, nil, "not enough samples: 12 of 50"},
		{"enough for the one who asked", rates{0.4, 90, 0, 0, false}, step.CanaryParams{Steps: steps(10), MinRequests: 10}, "", bakeTime, bakeTime, nil, ""},
		{"nothing to compare with", rates{10, 0, 0.5, 0, false}, step.CanaryParams{Steps: steps(10)}, fault.Unavailable, bakeTime, bakeTime, nil, "got 0 of 20"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.traffic(c.traffic)
				begun := time.Now()
				answers, err := s.run(t.Context(), c.with)
				wantError(t, err, c.kind, c.says)
				if took := time.Since(begun); took < c.min || took > c.max {
					t.Errorf("it took %s, want %s to %s", took, c.min, c.max)
				}
				if len(answers) == 0 {
					t.Error("no gate results, want at least one")
				}
				if diff := cmp.Diff(answers, s.emitted); diff != "" {
					t.Errorf("emitted gate results (-returned +emitted):\n%s", diff)
				}
				got := map[string]delivery.Verdict{}
				for _, a := range answers {
					got[a.Gate] = a.Verdict
				}
				for gate, verdict := range c.verdicts {
					if got[gate] != verdict {
						t.Errorf("verdict of %s = %q, want %q in %v", gate, got[gate], verdict, answers)
					}
				}
				if c.verdicts != nil && len(got) != len(c.verdicts) {
					t.Errorf("gate results = %v, want those of %v", answers, c.verdicts)
				}
				if serving, _ := s.Target.Running(env); serving != s.oldRelease.ID {
					t.Errorf("%s receives the traffic, want still %s", serving, s.oldRelease.ID)
				}
			})
		})
	}
}

// TestRun_StopsAtFirstStep: no more traffic than the first share goes to it.
func TestRun_StopsAtFirstStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.traffic(rates{10, 90, 0.3, 0, false})
		_, err := s.run(t.Context(), step.CanaryParams{Steps: steps(5, 25, 50)})
		if !fault.Is(err, fault.Failed) {
			t.Errorf("error = %v, want %s", err, fault.Failed)
		}
		if got := s.Target.Weight(env, s.newRelease.ID); got != 5 {
			t.Errorf("weight = %d %%, want 5 %%", got)
		}
	})
}

// TestRun_LatencyNotMeasured is said, and stops only those who set a margin for it.
func TestRun_LatencyNotMeasured(t *testing.T) {
	for margin, kind := range map[float64]fault.Kind{0: "", 1.5: fault.Unavailable} {
		t.Run(fmt.Sprint("margin ", margin), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.Target.Samples = func(delivery.ReleaseID, time.Time) (port.Sample, port.Sample) {
					return port.Sample{Requests: 300}, port.Sample{Requests: 2700}
				}
				answers, err := s.run(t.Context(), step.CanaryParams{Steps: steps(10), LatencyMargin: margin})
				wantError(t, err, kind, "")
				if len(answers) != 2 || answers[0].Verdict != delivery.Passed || answers[1].Verdict != delivery.Unavailable {
					t.Errorf("gate results = %v, want %s, then %s", answers, delivery.Passed, delivery.Unavailable)
				}
			})
		})
	}
}

func TestRun_NoRunningRelease(t *testing.T) {
	s := newFixture(t)
	for _, running := range []delivery.ReleaseID{"", s.newRelease.ID} {
		var log strings.Builder
		answers, err := Runner{}.Run(t.Context(), step.Request{Log: &log}, s.target, s.order, running, step.CanaryParams{})
		if answers != nil || err != nil {
			t.Errorf("gate results = %v, error = %v, want neither", answers, err)
		}
		if want := "no running release to compare"; !strings.Contains(log.String(), want) {
			t.Errorf("log = %q, want %q in it", log.String(), want)
		}
	}
}

func TestRun_Cancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(t)
		s.traffic(rates{perSecond: 10, beside: 90})
		stop := errors.New("stopped by a person")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(7*time.Second, func() { cancel(stop) })
		begun := time.Now()
		if _, err := s.run(ctx, step.CanaryParams{Steps: steps(10)}); !errors.Is(err, stop) {
			t.Errorf("error = %v, want %v", err, stop)
		}
		if took := time.Since(begun); took != 7*time.Second {
			t.Errorf("it took %s, want 7s", took)
		}
	})
}

// TestRun_KilledAtEveryCall begins anew after a crash, and the end is the same.
func TestRun_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(t)
				s.traffic(rates{perSecond: 10, beside: 90})
				s.SetFuse(fake.NewFuse(at, after))
				killed = fake.Survive(func() { _, _ = s.run(t.Context(), step.CanaryParams{Steps: steps(10, 50)}) })
				s.SetFuse(nil)
				s.emitted = nil
				if answers, err := s.run(t.Context(), step.CanaryParams{Steps: steps(10, 50)}); err != nil || len(answers) != 4 {
					t.Errorf("killed at %d, after %v: gate results = %v, error = %v, want four", at, after, answers, err)
				}
			})
		}
	}
}
