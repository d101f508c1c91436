package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/probe"
)

// Defaults.
const (
	defaultErrorRate = 0.01
	accept           = "accept"
)

// view is what one look came to.
type view struct {
	answers  []delivery.GateResult // what would be said now
	trouble  string                // why the release has to go
	unasked  bool                  // target or meter did not answer
	scarce   string                // why the traffic says nothing, and that is not accepted
	progress string
}

// conclude is the verdict at the end of the bake time.
func (v view) conclude() ([]delivery.GateResult, string, error) { return v.answers, v.scarce, nil }

// look asks the target and its meter.
func (b *bake) look(ctx context.Context) view {
	obs, err := b.target.Observe(ctx, b.service, b.r.Environment)
	if err != nil {
		return b.unasked("watch: replicas", err)
	}
	if obs.Release != b.d.Release {
		return lost("watch: replicas", fmt.Sprintf("the traffic goes to %s", probe.DisplayName(obs.Release)))
	}
	if down := probe.DownReason(obs, b.d.Release); down != "" {
		return lost("watch: replicas", down)
	}
	if b.w.Bake <= 0 {
		b.failed = 0
		return view{progress: "no bake time"}
	}
	meter, ok := b.target.(port.TrafficReporter)
	if !ok {
		b.failed = 0
		return scarce(b.w.Watch, "the target does not measure traffic; only the replicas were watched")
	}
	t, err := meter.Traffic(ctx, b.service, b.r.Environment, b.d.Release, b.d.Since)
	if fault.Is(err, fault.NotFound) {
		b.failed = 0
		return scarce(b.w.Watch, err.Error()+"; only the replicas were watched")
	}
	if err != nil {
		return b.unasked("watch: traffic", err)
	}
	b.failed = 0
	return judge(b.w.Watch, t, b.Clock.Now().Sub(b.d.Since))
}

// unasked is a look that could not be taken.
func (b *bake) unasked(gate string, err error) view {
	b.failed++
	return view{
		unasked: true, progress: "could not look: " + err.Error(),
		trouble: fmt.Sprintf("investigate: %s could not be asked %d times in a row: %v", gate, b.failed, err),
		answers: []delivery.GateResult{{Gate: gate, Verdict: delivery.Unavailable, Evidence: err.Error()}},
	}
}

func lost(gate, why string) view {
	return view{trouble: why, answers: []delivery.GateResult{{Gate: gate, Verdict: delivery.Failed, Evidence: why}}}
}

// judge holds the traffic against the thresholds. Too little of it is a verdict
// of its own, neither good nor bad: NoTraffic says what it means.
func judge(w step.WatchThresholds, t port.Traffic, since time.Duration) view {
	least := max(w.MinRequests, 1)
	since = since.Round(time.Second)
	switch {
	case t.Requests == 0:
		return scarce(w, fmt.Sprintf("no traffic in %s", since))
	case t.Requests < least:
		return scarce(w, fmt.Sprintf("not enough requests: %d of %d in %s", t.Requests, least, since))
	}
	v := view{progress: fmt.Sprintf("%d requests, %d failed, p95 %s", t.Requests, t.Errors, t.P95.Round(time.Millisecond))}
	limit := w.ErrorRate
	if limit <= 0 {
		limit = defaultErrorRate
	}
	rate := float64(t.Errors) / float64(t.Requests)
	v.ask(fmt.Sprintf("watch: error rate <= %g", limit), rate <= limit,
		fmt.Sprintf("%d of %d requests failed (%.2f %%)", t.Errors, t.Requests, 100*rate))
	if w.P95 > 0 {
		v.ask(fmt.Sprintf("watch: p95 <= %s", w.P95), t.P95 <= w.P95.D(),
			fmt.Sprintf("p95 is %s over %d requests", t.P95.Round(time.Millisecond/10), t.Requests))
	}
	return v
}

func (v *view) ask(gate string, yes bool, evidence string) {
	a := delivery.GateResult{Gate: gate, Verdict: delivery.Passed, Evidence: evidence}
	if !yes {
		a.Verdict = delivery.Failed
		if v.trouble != "" {
			v.trouble += "; "
		}
		v.trouble += evidence + ", against " + gate[len("watch: "):]
	}
	v.answers = append(v.answers, a)
}

func scarce(w step.WatchThresholds, why string) view {
	v := view{progress: why, answers: []delivery.GateResult{{Gate: "watch: traffic", Verdict: delivery.Unavailable, Evidence: why}}}
	if w.NoTraffic != "" && w.NoTraffic != accept {
		v.scarce = why + ", and no_traffic is " + w.NoTraffic
	}
	return v
}
