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
	t, err := c.trial(r, target, o, running, w)
	if err != nil {
		return nil, err
	}
	var answers []delivery.GateResult
	for _, s := range w.Steps {
		said, err := t.take(ctx, s)
		r.ReportGates(said...)
		answers = append(answers, said...)
		if err != nil {
			return answers, err
		}
	}
	return answers, nil
}

// trial is one release on its way through the steps.
type trial struct {
	Runner
	r       step.Request
	target  port.Target
	shifter port.TrafficSplitter
	order   port.DeployRequest
	running delivery.ReleaseID
	w       step.CanaryParams // complete
	asked   bool              // for a latency, by its margin
	queries []query
}

func (c Runner) trial(r step.Request, target port.Target, o port.DeployRequest, running delivery.ReleaseID, w step.CanaryParams) (trial, error) {
	shifter, ok := target.(port.TrafficSplitter)
	if !ok {
		return trial{}, fault.New(fault.Invalid, "canary: the target can't give a release a part of the traffic").
			Hint("choose another strategy, or a target that can (kubernetes)")
	}
	if err := check(w); err != nil {
		return trial{}, err
	}
	t := trial{Runner: c, r: r, target: target, shifter: shifter, order: o, running: running, w: complete(w), asked: w.LatencyMargin != 0}
	var err error
	t.queries, err = t.fill()
	return t, err
}

// bake is one step.
type bake struct {
	trial
	name   string // "canary 10 %"
	weight int
	begun  time.Time
	end    time.Time
	looks  compare.AlphaSpending
	failed int   // looks in a row that could not be taken
	over   []int // by query: looks in a row whose value was out of bounds
}

// take shifts the traffic and watches for the bake time. An answer that is clear
// ends it at once.
func (t trial) take(ctx context.Context, s step.CanaryStep) ([]delivery.GateResult, error) {
	name := fmt.Sprintf("canary %d %%", s.Weight)
	t.r.Progress("%s: shifting traffic to %s", name, t.order.ID)
	actual, err := t.shifter.SetWeight(ctx, t.order, s.Weight, func(text string) { t.r.Progress("%s", text) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("give %s %d %% of the traffic: %w", t.order.ID, s.Weight, err)
	}
	t.r.Logf("%s: %s gets %.3g %% of the traffic for %s", name, t.order.ID, actual, s.Bake)
	b := bake{
		trial: t, name: name, weight: s.Weight, begun: t.Clock.Now(),
		looks: compare.AlphaSpending{Alpha: 1 - t.w.Confidence}, over: make([]int, len(t.queries)),
	}
	b.end = b.begun.Add(s.Bake.D())
	return b.watch(ctx, min(max(s.Bake.D()/10, soonest), latest))
}

func (b *bake) watch(ctx context.Context, every time.Duration) ([]delivery.GateResult, error) {
	for {
		left := b.end.Sub(b.Clock.Now())
		v, err := b.look(ctx, left <= 0)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil && (final(err) || b.failed >= patience):
			return b.unasked(v, err)
		case err != nil:
			// Again, also when the time is over: nothing is known yet.
			b.r.Progress("%s, %s left: could not look: %v", b.name, max(left, 0).Round(time.Second), err)
		case left <= 0 || v.worse():
			return v.answers(b.name), b.conclude(v)
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

// final tells errors that asking again will not heal.
func final(err error) bool {
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Denied)
}

// unasked is the end when too many looks in a row could not be taken.
func (b *bake) unasked(v view, err error) ([]delivery.GateResult, error) {
	kind, times := fault.Unavailable, fmt.Sprintf("%d times in a row", b.failed)
	if final(err) {
		kind, times = fault.KindOf(err), "at all"
	}
	a := delivery.GateResult{Gate: b.name + ": " + v.asking, Verdict: delivery.Unavailable, Evidence: err.Error()}
	return []delivery.GateResult{a}, fault.New(kind, "%s: %s could not be asked %s", b.name, v.asking, times).
		Hint("a canary that can't be judged does not go on").Cause(err)
}

// look takes one look. The error is that of a question that could not be asked,
// which view.asking names. Only the last look may say that there is too little to
// judge by.
func (b *bake) look(ctx context.Context, last bool) (view, error) {
	obs, err := b.target.Observe(ctx, b.order.Service, b.order.Environment)
	if err != nil {
		b.failed++
		return view{asking: "replicas"}, err
	}
	if obs.Release == "" || obs.Release != b.running && obs.Release != b.order.ID {
		return lost(fmt.Sprintf("the traffic goes to %s, not to %s", probe.DisplayName(obs.Release), b.running)), nil
	}
	if down := probe.DownReason(obs, b.order.ID); down != "" {
		return lost(down), nil
	}
	v := view{}
	if err := b.traffic(ctx, &v, last); err != nil {
		b.failed++
		return view{asking: "traffic"}, err
	}
	if name, err := b.ask(ctx, &v, last); err != nil {
		b.failed++
		return view{asking: name}, err
	}
	b.failed = 0
	return v, nil
}

// traffic compares the two releases.
func (b *bake) traffic(ctx context.Context, v *view, last bool) error {
	comparer, ok := b.target.(port.MetricsComparer)
	if !ok {
		v.progress = "traffic is not measured"
		if len(b.queries) == 0 {
			v.add(finding{gate: "traffic", verdict: delivery.Unavailable, weighs: true,
				evidence: "the target does not measure traffic, and there is no query"})
		}
		return nil
	}
	candidate, running, err := comparer.Compare(ctx, b.order, b.begun)
	if err != nil {
		return err
	}
	v.progress = fmt.Sprintf("%s of %s requests failed, %s of %s of %s",
		number(candidate.Errors), number(candidate.Requests), number(running.Errors), number(running.Requests), b.running)
	v.add(b.judge(candidate, running, last)...)
	return nil
}
