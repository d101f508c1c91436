// Package canary gives a release its traffic step by step, and at each step
// holds it against the one that serves beside it. It is stopped when it is worse
// beyond what chance explains; that it is not has to be shown by enough traffic,
// not by silence.
package canary

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/canary/compare"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// How often is looked: a tenth of the bake time within these bounds.
const (
	soonest = 100 * time.Millisecond
	latest  = 2 * time.Second
	// patience is how many looks in a row may fail before the canary can't go on.
	patience = 5
)

// Runner judges.
type Runner struct {
	Metrics   port.MetricsProvider // for the queries; nil: none can be asked
	Clock     step.Clock
	Namespace string // what {{.Namespace}} is in queries
}

// Run leads a staged release through the steps and returns what the gates said,
// which is emitted too. It does not promote: a nil error says that it may be. A
// release that is worse is fault.Failed, one that nothing can be said about is
// fault.Unavailable unless NoTraffic accepts that. Called again after a crash it
// begins with the first step. Where nothing serves beside it, or it has all the
// traffic already, there is nothing to compare and no answer.
func (c Runner) Run(ctx context.Context, r step.Request, target port.Target, o port.DeployRequest, running delivery.ReleaseID, w step.CanaryParams) ([]delivery.GateResult, error) {
	if running == "" || running == o.ID {
		r.Logf("canary: nothing serves beside %s that it could be compared with", o.ID)
		return nil, nil
	}
	t, err := c.newAnalysis(r, target, o, running, w)
	if err != nil {
		return nil, err
	}
	var answers []delivery.GateResult
	for _, s := range w.Steps {
		said, err := t.runStep(ctx, s)
		r.ReportGates(said...)
		answers = append(answers, said...)
		if err != nil {
			return answers, err
		}
	}
	return answers, nil
}

// analysis is one release on its way through the steps.
type analysis struct {
	Runner
	r               step.Request
	target          port.Target
	splitter        port.TrafficSplitter
	request         port.DeployRequest
	running         delivery.ReleaseID
	params          step.CanaryParams // complete
	latencyRequired bool              // for a latency, by its margin
	queries         []query
}

func (c Runner) newAnalysis(r step.Request, target port.Target, o port.DeployRequest, running delivery.ReleaseID, w step.CanaryParams) (analysis, error) {
	shifter, ok := target.(port.TrafficSplitter)
	if !ok {
		return analysis{}, fault.New(fault.Invalid, "canary: the target can't give a release a part of the traffic").
			Hint("choose another strategy, or a target that can (kubernetes)")
	}
	if err := validate(w); err != nil {
		return analysis{}, err
	}
	t := analysis{Runner: c, r: r, target: target, splitter: shifter, request: o, running: running, params: withDefaults(w), latencyRequired: w.LatencyMargin != 0}
	var err error
	t.queries, err = t.expandQueries()
	return t, err
}

// stepAnalysis is one step.
type stepAnalysis struct {
	analysis
	name        string // "canary 10 %"
	weight      int
	start       time.Time
	end         time.Time
	alpha       compare.AlphaSpending
	failed      int   // looks in a row that could not be taken
	outOfBounds []int // by query: looks in a row whose value was out of bounds
}

// runStep shifts the traffic and watches for the bake time. An answer that is clear
// ends it at once.
func (t analysis) runStep(ctx context.Context, s step.CanaryStep) ([]delivery.GateResult, error) {
	name := fmt.Sprintf("canary %d %%", s.Weight)
	t.r.Progress("%s: shifting traffic to %s", name, t.request.ID)
	actual, err := t.splitter.SetWeight(ctx, t.request, s.Weight, func(text string) { t.r.Progress("%s", text) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("give %s %d %% of the traffic: %w", t.request.ID, s.Weight, err)
	}
	t.r.Logf("%s: %s gets %.3g %% of the traffic for %s", name, t.request.ID, actual, s.Bake)
	b := stepAnalysis{
		analysis: t, name: name, weight: s.Weight, start: t.Clock.Now(),
		alpha: compare.AlphaSpending{Alpha: 1 - t.params.Confidence}, outOfBounds: make([]int, len(t.queries)),
	}
	b.end = b.start.Add(s.Bake.D())
	return b.watch(ctx, min(max(s.Bake.D()/10, soonest), latest))
}

func (b *stepAnalysis) watch(ctx context.Context, every time.Duration) ([]delivery.GateResult, error) {
	for {
		left := b.end.Sub(b.Clock.Now())
		v, err := b.observe(ctx, left <= 0)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil && (permanent(err) || b.failed >= patience):
			return b.inconclusive(v, err)
		case err != nil:
			// Again, also when the time is over: nothing is known yet.
			b.r.Progress("%s, %s left: could not look: %v", b.name, max(left, 0).Round(time.Second), err)
		case left <= 0 || v.failed():
			return v.gateResults(b.name), b.conclude(v)
		default:
			b.r.Progress("%s, %s left: %s", b.name, left.Round(time.Second), v.progress)
		}
		wait := every
		if left > 0 {
			wait = min(every, left)
		}
		if err := b.Clock.Wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// permanent tells errors that asking again will not heal.
func permanent(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied)
}

// inconclusive is the end when too many looks in a row could not be taken.
func (b *stepAnalysis) inconclusive(v observation, err error) ([]delivery.GateResult, error) {
	kind, times := fault.Unavailable, fmt.Sprintf("%d times in a row", b.failed)
	if permanent(err) {
		kind, times = fault.KindOf(err), "at all"
	}
	a := delivery.GateResult{Gate: b.name + ": " + v.failedCheck, Verdict: delivery.Unavailable, Evidence: err.Error()}
	return []delivery.GateResult{a}, fault.New(kind, "%s: %s could not be asked %s", b.name, v.failedCheck, times).
		Hint("a canary that can't be judged does not go on").Cause(err)
}

// observe takes one look. The error is that of a question that could not be asked,
// which view.failedCheck names. Only the last look may say that there is too little to
// judge by.
func (b *stepAnalysis) observe(ctx context.Context, last bool) (observation, error) {
	obs, err := b.target.Observe(ctx, b.request.Service, b.request.Environment)
	if err != nil {
		b.failed++
		return observation{failedCheck: "replicas"}, err
	}
	if obs.Release == "" || obs.Release != b.running && obs.Release != b.request.ID {
		return replicasFailed(fmt.Sprintf("the traffic goes to %s, not to %s", probe.DisplayName(obs.Release), b.running)), nil
	}
	if down := probe.DownReason(obs, b.request.ID); down != "" {
		return replicasFailed(down), nil
	}
	v := observation{}
	if err := b.compareTraffic(ctx, &v, last); err != nil {
		b.failed++
		return observation{failedCheck: "traffic"}, err
	}
	if name, err := b.runQueries(ctx, &v, last); err != nil {
		b.failed++
		return observation{failedCheck: name}, err
	}
	b.failed = 0
	return v, nil
}

// compareTraffic compares the two releases.
func (b *stepAnalysis) compareTraffic(ctx context.Context, v *observation, last bool) error {
	comparer, ok := b.target.(port.MetricsComparer)
	if !ok {
		v.progress = "traffic is not measured"
		if len(b.queries) == 0 {
			v.add(finding{gate: "traffic", verdict: delivery.Unavailable, blocking: true,
				evidence: "the target does not measure traffic, and there is no query"})
		}
		return nil
	}
	candidate, running, err := comparer.Compare(ctx, b.request, b.start)
	if err != nil {
		return err
	}
	v.progress = fmt.Sprintf("%s of %s requests failed, %s of %s of %s",
		formatCount(candidate.Errors), formatCount(candidate.Requests), formatCount(running.Errors), formatCount(running.Requests), b.running)
	v.add(b.analyze(candidate, running, last)...)
	return nil
}
