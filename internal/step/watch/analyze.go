package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/bake"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

const defaultErrorRate = 0.01

// The gates of a watch.
const (
	replicasGate = "watch: replicas"
	identityGate = "watch: identity"
	trafficGate  = "watch: traffic"
)

// observation is what looking once came to.
type observation struct {
	hint      string // what to do about the failure
	gate      string // that could not be checked
	results   []delivery.GateResult
	failure   string // why the release has to be rolled back
	blameless bool   // it is no verdict on the release
	noTraffic string // why there is too little traffic, where that is not accepted
	progress  string
	extend    bool // the bake goes on: an alarm has no data yet
}

// observe checks the replicas and the traffic. The error is that of a check that
// could not be done, and observation.gate names it.
func (w *watch) observe(ctx context.Context, final bool) (observation, error) {
	service, env := w.request.Service, w.Request.Environment
	obs, err := w.Target.Observe(ctx, service, env)
	if err != nil {
		return observation{gate: replicasGate}, err
	}
	if err := rollout.ServingError(obs, w.request.ID); err != nil {
		return gateFailed(replicasGate, err), nil
	}
	if w.params.Bake <= 0 {
		return observation{progress: "no bake time"}, nil
	}
	w.replicas.note(obs, w.request.ID, w.Clock.Now())
	steady := w.replicas.check(w.params)
	if steady.failure != "" {
		return steady, nil
	}
	w.probes.Probe(ctx, obs.Address(), final)
	o, err := w.observeTraffic(ctx, obs)
	o.results = append(steady.results, o.results...)
	if err != nil || o.failure != "" {
		return o, err
	}
	return w.askAlarms(ctx, o, final)
}

// observeTraffic checks who responds to the users, and what they got.
func (w *watch) observeTraffic(ctx context.Context, obs port.Observation) (observation, error) {
	service, env := w.request.Service, w.Request.Environment
	if err := w.identify(ctx, obs.Address()); fault.Is(err, fault.Failed) {
		return gateFailed(identityGate, err), nil
	} else if err != nil {
		return observation{gate: identityGate}, err
	}
	reporter, ok := w.Target.(port.TrafficReporter)
	if !ok {
		return noTraffic(w.params.Thresholds, "the target does not measure traffic; only the replicas were watched"), nil
	}
	t, err := reporter.Traffic(ctx, service, env, w.request.ID, w.deployed.Since)
	if fault.Is(err, fault.NotFound) {
		return noTraffic(w.params.Thresholds, err.Error()+"; only the replicas were watched"), nil
	}
	if err != nil {
		return observation{gate: trafficGate}, err
	}
	return analyze(w.params.Thresholds, t, w.Clock.Now().Sub(w.deployed.Since)), nil
}

// unavailable is the end if too many observations in a row failed.
func unavailable(gate string, failed *bake.FailedError) observation {
	return observation{
		failure:   fmt.Sprintf("investigate: %s could not be checked %d times in a row: %v", gate, failed.Failures, failed.Err),
		blameless: true,
		results:   []delivery.GateResult{{Gate: gate, Verdict: delivery.Unavailable, Evidence: failed.Err.Error()}},
	}
}

// identify returns why another release may respond, if the target proved so far that
// none does: a service that names its release needs no proof.
func (w *watch) identify(ctx context.Context, url string) error {
	prove := w.Identifier(w.request)
	if w.provedBy == "" || prove == nil {
		return nil
	}
	_, err := prove(ctx, url)
	return err
}

func gateFailed(gate string, why error) observation {
	r := delivery.GateResult{Gate: gate, Verdict: delivery.Failed, Evidence: why.Error()}
	if fault.IsInfrastructure(why) {
		r.Verdict = delivery.Unavailable
	}
	return observation{failure: r.Evidence, blameless: fault.IsInfrastructure(why), results: []delivery.GateResult{r}}
}

// analyze compares the traffic with the thresholds. Too little of it is neither
// good nor bad: the policy says what it means.
func analyze(limits step.WatchThresholds, t port.Traffic, since time.Duration) observation {
	minRequests := max(limits.MinRequests, 1)
	since = since.Round(time.Second)
	switch {
	case t.Requests == 0:
		return noTraffic(limits, fmt.Sprintf("no traffic in %s", since))
	case t.Requests < minRequests:
		return noTraffic(limits, fmt.Sprintf("not enough requests: %d of %d in %s", t.Requests, minRequests, since))
	}
	o := observation{progress: fmt.Sprintf("%d requests, %d failed, p95 %s", t.Requests, t.Errors, t.P95.Round(time.Millisecond))}
	maxRate := limits.ErrorRate
	if maxRate <= 0 {
		maxRate = defaultErrorRate
	}
	rate := float64(t.Errors) / float64(t.Requests)
	o.check(fmt.Sprintf("error rate <= %g", maxRate), rate <= maxRate,
		fmt.Sprintf("%d of %d requests failed (%.2f %%)%s", t.Errors, t.Requests, 100*rate, describeResets(t.Resets)))
	if limits.P95 > 0 {
		o.check(fmt.Sprintf("p95 <= %s", limits.P95), t.P95 <= limits.P95.D(),
			fmt.Sprintf("p95 is %s over %d requests", t.P95.Round(time.Millisecond/10), t.Requests))
	}
	return o
}

// describeResets names what the figures may lack: what a replica counted between the
// last look and its restart.
func describeResets(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "; the counters of a replica began anew"
	}
	return fmt.Sprintf("; counters of replicas began anew %d times", n)
}

func (o *observation) check(threshold string, ok bool, evidence string) {
	r := delivery.GateResult{Gate: "watch: " + threshold, Verdict: delivery.Passed, Evidence: evidence}
	if !ok {
		r.Verdict = delivery.Failed
		if o.failure != "" {
			o.failure += "; "
		}
		o.failure += evidence + ", exceeding " + threshold
	}
	o.results = append(o.results, r)
}

func noTraffic(limits step.WatchThresholds, why string) observation {
	o := observation{progress: why, results: []delivery.GateResult{{Gate: trafficGate, Verdict: delivery.Unavailable, Evidence: why}}}
	if limits.NoTraffic == step.FailNoTraffic {
		o.noTraffic = why + ", and no_traffic is " + string(limits.NoTraffic)
	}
	return o
}
