// Package canary shifts traffic to a release step by step, and at each step
// compares it with the release that is running beside it. It is stopped if it is
// worse beyond chance; that it is not has to be shown by enough traffic, not by
// silence.
package canary

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/bake"
	"github.com/slipway-cd/slipway/internal/step/canary/compare"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

// Runner runs canaries.
type Runner struct {
	Metrics   port.MetricsProvider // for the queries; nil: queries are fault.Internal
	Clock     step.Clock
	Namespace string // {{.Namespace}} in queries
}

// Run leads a staged release through the steps and returns the gates' results,
// which are reported too. It does not promote: a nil error means: it may be. A
// release that is worse is fault.Failed, one that can't be evaluated is
// fault.Unavailable unless NoTraffic accepts that. Measurements that fail are a failure
// of the infrastructure. Called again after a crash it
// begins with the first step. If no other release is running, or this one has all
// the traffic already, there is nothing to compare and no result.
func (c Runner) Run(ctx context.Context, r step.Request, target port.Target, o port.DeployRequest, running delivery.ReleaseID, params step.CanaryParams) ([]delivery.GateResult, error) {
	if running == "" || running == o.ID {
		r.Logf("canary: no running release to compare %s with", o.ID)
		return nil, nil
	}
	a, err := c.newAnalysis(r, target, o, running, params)
	if err != nil {
		return nil, err
	}
	var results []delivery.GateResult
	for _, s := range a.params.Steps {
		more, err := a.runStep(ctx, s)
		r.ReportGates(more...)
		results = append(results, more...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// analysis is one release on its way through the steps.
type analysis struct {
	Runner
	r               step.Request
	target          port.Target
	splitter        port.TrafficSplitter
	request         port.DeployRequest
	running         delivery.ReleaseID
	params          step.CanaryParams // with defaults
	latencyRequired bool              // a latency margin is configured
	queries         []query
}

func (c Runner) newAnalysis(r step.Request, target port.Target, o port.DeployRequest, running delivery.ReleaseID, params step.CanaryParams) (analysis, error) {
	splitter, ok := target.(port.TrafficSplitter)
	if !ok {
		return analysis{}, fault.New(fault.Invalid, "canary: the target does not support traffic splitting").
			Hint("choose another strategy, or a target that supports it (kubernetes)")
	}
	if err := validate(params); err != nil {
		return analysis{}, err
	}
	a := analysis{
		Runner: c, r: r, target: target, splitter: splitter, request: o, running: running,
		params: withDefaults(params), latencyRequired: params.LatencyMargin != 0,
	}
	var err error
	a.queries, err = a.expandQueries()
	return a, err
}

// stepAnalysis is one step.
type stepAnalysis struct {
	analysis
	name        string // "canary 10 %"
	weight      int
	start       time.Time
	alpha       compare.AlphaSpending
	restarts    restarts
	outOfBounds []int // by query: observations in a row whose value was out of bounds
}

// runStep shifts the traffic and analyzes the release for the bake time. A clear
// result ends the step at once.
func (a analysis) runStep(ctx context.Context, s step.CanaryStep) ([]delivery.GateResult, error) {
	name := fmt.Sprintf("canary %d %%", s.Weight)
	a.r.Progress("%s: shifting traffic to %s", name, a.request.ID)
	actual, err := a.splitter.SetWeight(ctx, a.request, s.Weight, a.r.Report)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("shift traffic to %s (%d %%): %w", a.request.ID, s.Weight, err)
	}
	a.r.Logf("%s: %s receives %.3g %% of the traffic for %s", name, a.request.ID, actual, s.Bake)
	one := stepAnalysis{
		analysis: a, name: name, weight: s.Weight, start: a.Clock.Now(),
		alpha: compare.AlphaSpending{Alpha: 1 - a.params.Confidence}, outOfBounds: make([]int, len(a.queries)),
	}
	return one.bake(ctx, s.Bake.D())
}

func (s *stepAnalysis) bake(ctx context.Context, d time.Duration) ([]delivery.GateResult, error) {
	var last observation
	b := bake.Bake{
		Clock: s.Clock, Start: s.start, Duration: d, Permanent: permanent,
		Progress: func(left time.Duration, text string) { s.r.Progress("%s, %s left: %s", s.name, left, text) },
	}
	err := b.Run(ctx, func(ctx context.Context, final bool) (bake.Observation, error) {
		var err error
		last, err = s.observe(ctx, final)
		return bake.Observation{Done: last.failed(), Progress: last.progress}, err
	})
	if failed := (*bake.FailedError)(nil); errors.As(err, &failed) {
		return s.unavailable(last.failedCheck, failed)
	}
	if err != nil {
		return nil, err
	}
	return last.gateResults(s.name), s.conclude(last)
}

// permanent reports whether retrying can't help.
func permanent(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied)
}

// unavailable is the end if too many observations in a row failed.
func (s *stepAnalysis) unavailable(check string, failed *bake.FailedError) ([]delivery.GateResult, error) {
	kind, times := fault.Unavailable, fmt.Sprintf("%d times in a row", failed.Failures)
	if failed.Permanent {
		kind, times = fault.KindOf(failed.Err), "at all"
	}
	r := delivery.GateResult{Gate: s.name + ": " + check, Verdict: delivery.Unavailable, Evidence: failed.Err.Error()}
	return []delivery.GateResult{r}, fault.New(kind, "%s: %s could not be checked %s", s.name, check, times).
		Infrastructure().Hint("a canary without measurements is stopped").Cause(failed.Err)
}

// observe checks replicas, traffic and queries once. The error is that of a check
// that could not be done, and observation.failedCheck names it. Only the last
// observation may find too little to evaluate.
func (s *stepAnalysis) observe(ctx context.Context, last bool) (observation, error) {
	obs, err := s.target.Observe(ctx, s.request.Service, s.request.Environment)
	if err != nil {
		return observation{failedCheck: "replicas"}, err
	}
	if err := rollout.OutageError(obs); err != nil {
		return observation{failedCheck: "replicas"}, err
	}
	if obs.Release == "" || obs.Release != s.running && obs.Release != s.request.ID {
		return replicasFailed(fmt.Sprintf("the traffic goes to %s, not to %s", rollout.DisplayName(obs.Release), s.running)), nil
	}
	if down := rollout.DownReason(obs, s.request.ID); down != "" {
		return replicasFailed(down), nil
	}
	if cause := s.restarts.note(replicasOf(obs, s.request.ID)); s.restarts.counts > s.params.Restarts {
		return replicasFailed(cause), nil
	}
	o := observation{}
	if err := s.compareTraffic(ctx, &o, last); err != nil {
		return observation{failedCheck: "traffic"}, err
	}
	if name, err := s.runQueries(ctx, &o, last); err != nil {
		return observation{failedCheck: name}, err
	}
	return o, nil
}

func replicasOf(obs port.Observation, id delivery.ReleaseID) []port.Replica {
	return slices.DeleteFunc(slices.Clone(obs.Replicas), func(r port.Replica) bool { return r.Release != id })
}

// compareTraffic compares the two releases.
func (s *stepAnalysis) compareTraffic(ctx context.Context, o *observation, last bool) error {
	comparer, ok := s.target.(port.MetricsComparer)
	if !ok {
		o.progress = "traffic is not measured"
		if len(s.queries) == 0 {
			o.add(finding{gate: "traffic", verdict: delivery.Unavailable, blocking: true,
				evidence: "the target does not measure traffic, and no query is configured"})
		}
		return nil
	}
	candidate, running, err := comparer.Compare(ctx, s.request, s.start)
	if err != nil {
		return err
	}
	o.progress = fmt.Sprintf("%s of %s requests failed, %s of %s of %s",
		formatCount(candidate.Errors), formatCount(candidate.Requests), formatCount(running.Errors), formatCount(running.Requests), s.running)
	o.add(s.analyze(candidate, running, last)...)
	return nil
}
