// Package probe checks over HTTP whether a service is the release that it should
// be, is healthy, and passes its smoke checks.
package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// Defaults and intervals.
const (
	defaultSuccessThreshold = 3
	defaultTimeout          = time.Minute
	defaultHealthPath       = "/health"

	requestTimeout  = 5 * time.Second // of one request
	healthyInterval = 20 * time.Millisecond
	minRetryWait    = 100 * time.Millisecond // after an unhealthy response; grows
	maxRetryWait    = time.Second
	maxFatalChecks  = 3 // responses in a row that will not improve
)

// Checker sends the requests.
type Checker struct {
	Prober port.Prober
	Clock  step.Clock
}

// Expectation is what the service has to respond.
type Expectation struct {
	Release          delivery.ReleaseID
	Model            *delivery.ModelRef // nil: the release has no model
	HealthPath       string             // default /health
	SuccessThreshold int                // healthy responses in a row, default 3
	Timeout          time.Duration      // default 1m
	Smoke            SmokeChecks
	// Exclusive is set if the address reaches only this release: a response by
	// another one will not go away.
	Exclusive bool
	// FailureCheck returns why the service can't become healthy any more, or nil. A
	// failure of the infrastructure is no verdict on the release. It is called
	// between requests; nil: not known.
	FailureCheck func(ctx context.Context) error
}

// ExpectationFor returns what a release that runs under the name has to respond. A
// wrong smoke check is fault.Invalid.
func ExpectationFor(p step.ProbeParams, timeout time.Duration, name delivery.ReleaseID, rel delivery.Release) (Expectation, error) {
	smoke, err := CompileChecks(p.Checks)
	if err != nil {
		return Expectation{}, err
	}
	return Expectation{
		Release: name, Model: rel.Model, HealthPath: rel.Workload.Health,
		SuccessThreshold: p.SuccessThreshold, Timeout: timeout, Smoke: smoke,
	}, nil
}

// Check waits until the service has responded healthy often enough in a row as
// the expected release, and then runs the smoke checks. The gates' results are
// reported and returned. A wrong response is fault.Failed; a service that never
// responded is fault.Unavailable.
func (p Checker) Check(ctx context.Context, r step.Request, url string, w Expectation) ([]delivery.GateResult, error) {
	health, err := p.waitHealthy(ctx, r, url, w.withDefaults())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	answers := []delivery.GateResult{health}
	r.ReportGates(health)
	if err != nil {
		return answers, err
	}
	smoke, err := p.CheckSmoke(ctx, r, url, w)
	return append(answers, smoke...), err
}

func (w Expectation) withDefaults() Expectation {
	if w.SuccessThreshold <= 0 {
		w.SuccessThreshold = defaultSuccessThreshold
	}
	if w.Timeout <= 0 {
		w.Timeout = defaultTimeout
	}
	if w.HealthPath == "" {
		w.HealthPath = defaultHealthPath
	}
	return w
}

// healthTracker counts the responses of the health endpoint.
type healthTracker struct {
	healthy, fatal int // in a row
	requests       int
	responded      bool
	slowest        time.Duration
	last           healthCheck
}

func (d *healthTracker) record(s healthCheck) {
	d.requests++
	d.last = s
	d.responded = d.responded || s.responded
	switch {
	case s.problem == "":
		d.healthy, d.fatal = d.healthy+1, 0
		d.slowest = max(d.slowest, s.latency)
	case s.fatal:
		d.healthy, d.fatal = 0, d.fatal+1
	default:
		d.healthy, d.fatal = 0, 0
	}
}

func (p Checker) waitHealthy(ctx context.Context, r step.Request, url string, w Expectation) (delivery.GateResult, error) {
	begun := p.Clock.Now()
	var d healthTracker
	for pause := minRetryWait; ; {
		left := w.Timeout - p.Clock.Now().Sub(begun)
		d.record(p.checkHealth(ctx, url, w, left))
		left = w.Timeout - p.Clock.Now().Sub(begun)
		r.Progress("healthy %d of %d%s", d.healthy, w.SuccessThreshold, problemSuffix(d.last.problem))
		var doom error
		if d.last.problem != "" && d.requests%3 == 0 {
			doom = w.checkFailure(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return delivery.GateResult{}, context.Cause(ctx)
		case d.healthy >= w.SuccessThreshold:
			return d.passedResult(w), nil
		case fault.IsInfrastructure(doom):
			return infrastructureResult(w, doom)
		case doom != nil:
			return d.failedResult(w, "it can't become healthy: "+doom.Error())
		case d.fatal >= maxFatalChecks:
			return d.failedResult(w, "it won't become healthy")
		case left <= 0:
			return d.failedResult(w, fmt.Sprintf("not healthy within %s (%d requests)", w.Timeout, d.requests))
		}
		next := healthyInterval
		if d.last.problem != "" {
			next, pause = pause, min(pause*3/2, maxRetryWait)
		}
		if err := wait.Sleep(ctx, min(next, left)); err != nil {
			return delivery.GateResult{}, err
		}
	}
}

func problemSuffix(trouble string) string {
	if trouble == "" {
		return ""
	}
	return ": " + trouble
}

func (d *healthTracker) passedResult(w Expectation) delivery.GateResult {
	evidence := fmt.Sprintf("%d healthy responses in a row from %s", d.healthy, w.Release)
	if w.Model != nil {
		evidence += fmt.Sprintf(" with model %s", w.Model)
	}
	evidence += fmt.Sprintf(", slowest %s", d.slowest.Round(time.Millisecond/10))
	return delivery.GateResult{Gate: "health", Verdict: delivery.Passed, Evidence: evidence}
}

func (d *healthTracker) failedResult(w Expectation, why string) (delivery.GateResult, error) {
	a := delivery.GateResult{Gate: "health", Verdict: delivery.Failed, Evidence: why}
	if d.last.problem != "" {
		a.Evidence += "; last: " + d.last.problem
	}
	kind := fault.Failed
	if !d.responded {
		kind, a.Verdict = fault.Unavailable, delivery.Unavailable
	}
	return a, fault.New(kind, "health of %s: %s", w.Release, a.Evidence).
		Hint("the service must return 200 with its release and model_version at %s; see its logs", w.HealthPath)
}

// infrastructureResult is the end of a check that the target interrupted.
func infrastructureResult(w Expectation, cause error) (delivery.GateResult, error) {
	a := delivery.GateResult{Gate: "health", Verdict: delivery.Unavailable, Evidence: cause.Error()}
	return a, fault.New(fault.Unavailable, "health of %s could not be checked", w.Release).Cause(cause).Hint("%s", fault.HintOf(cause))
}

func (w Expectation) checkFailure(ctx context.Context) error {
	if w.FailureCheck == nil {
		return nil
	}
	return w.FailureCheck(ctx)
}

func (p Checker) checkHealth(ctx context.Context, url string, w Expectation, left time.Duration) healthCheck {
	q := port.ProbeRequest{URL: joinURL(url, w.HealthPath), Timeout: max(min(requestTimeout, left), time.Millisecond)}
	reply, err := p.Prober.Probe(ctx, q)
	if err != nil {
		return healthCheck{problem: "no response: " + rootCause(err)}
	}
	s := evaluateHealth(reply, w)
	s.responded, s.latency = true, reply.Latency
	return s
}

// rootCause is the innermost error: "connection refused", without the layers
// around it.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func joinURL(base, path string) string {
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(path, "/")
}
