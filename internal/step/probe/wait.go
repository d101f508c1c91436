package probe

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// healthWait waits until a service is healthy.
type healthWait struct {
	Checker
	request step.Request
	url     string
	want    Expectation
	prover  prover

	healthy, fatal int  // in a row
	unnamed        bool // one of the healthy ones does not name the release
	unnamedModel   bool // nor the model
	requests       int
	responded      bool
	slowest        time.Duration
	last           healthCheck
	unproven       error // why the last healthy responses do not count; nil after an unhealthy one
	refuted        int   // responses in a row that are known to come from elsewhere, for good
}

// run ends with the gate's result. Its error says the same.
func (h *healthWait) run(ctx context.Context) (delivery.GateResult, error) {
	begun := h.Clock.Now()
	for pause := minRetryWait; ; {
		left := h.want.Timeout - h.Clock.Now().Sub(begun)
		h.record(h.ask(ctx, left))
		proved := h.prove(ctx)
		left = h.want.Timeout - h.Clock.Now().Sub(begun)
		h.request.Progress("healthy %d of %d%s", h.healthy, h.want.SuccessThreshold, problemSuffix(h.last.problem))
		var doom error
		if h.last.problem != "" && h.requests%3 == 0 {
			doom = h.want.checkFailure(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return delivery.GateResult{}, context.Cause(ctx)
		case proved:
			return h.passedResult(ctx), nil
		case fault.IsInfrastructure(doom):
			return infrastructureResult(h.want, doom)
		case doom != nil:
			return h.failedResult("it can't become healthy: " + doom.Error())
		case max(h.fatal, h.refuted) >= maxFatalChecks:
			return h.failedResult("it won't become healthy")
		case left <= 0:
			return h.failedResult(fmt.Sprintf("not healthy within %s (%d requests)", h.want.Timeout, h.requests))
		}
		next := healthyInterval
		if h.last.problem != "" {
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

// ask sends one request.
func (h *healthWait) ask(ctx context.Context, left time.Duration) healthCheck {
	q := port.ProbeRequest{URL: joinURL(h.url, h.want.HealthPath), Timeout: max(min(requestTimeout, left), lastRequestTimeout)}
	reply, err := h.Prober.Probe(ctx, q)
	if err != nil {
		return healthCheck{problem: "no response: " + rootCause(err)}
	}
	s := evaluateHealth(reply, h.want)
	s.responded, s.latency = true, reply.Latency
	return s
}

func (h *healthWait) record(s healthCheck) {
	h.requests++
	if h.last = s; s.problem != "" {
		h.unproven = nil
	}
	h.responded = h.responded || s.responded
	switch {
	case s.problem == "":
		h.healthy, h.fatal = h.healthy+1, 0
		h.unnamed = h.unnamed || !s.namesRelease
		h.unnamedModel = h.unnamedModel || !s.namesModel
		h.slowest = max(h.slowest, s.latency)
	case s.fatal:
		h.restart()
		h.fatal++
	default:
		h.restart()
		h.fatal = 0
	}
}

// restart lets the healthy responses count from the next one.
func (h *healthWait) restart() { h.healthy, h.unnamed, h.unnamedModel = 0, false, false }

// prove reports whether enough healthy responses are known to come from the release.
func (h *healthWait) prove(ctx context.Context) bool {
	if h.healthy == 0 {
		return false
	}
	if !h.unnamed {
		return h.healthy >= h.want.SuccessThreshold
	}
	began, err := h.prover.begin(ctx)
	if err == nil && began && h.healthy < h.want.SuccessThreshold {
		return false
	}
	same := false
	if err == nil && began {
		same, err = h.prover.end(ctx)
	}
	switch {
	case err != nil:
		h.doubt(err)
	case !same: // only what follows this proof counts
		if began {
			h.unproven = errChanging
		}
		h.refuted = 0
		h.restart()
	}
	return same && err == nil
}

// doubt takes note that the last response may come from another release.
func (h *healthWait) doubt(err error) {
	h.restart()
	h.unproven = err
	h.last.problem = err.Error()
	switch {
	case h.prover.identify == nil:
		h.refuted = maxFatalChecks
	case h.want.Exclusive && fault.Is(err, fault.Failed):
		h.refuted++
	default:
		h.refuted = 0
	}
}

// identity is how the target proved the release; empty: the service names it.
func (h *healthWait) identity() port.ProofMethod {
	if h.unnamed && h.prover.before != nil {
		return h.prover.before.Method
	}
	return ""
}

func (h *healthWait) passedResult(ctx context.Context) delivery.GateResult {
	evidence := fmt.Sprintf("%d healthy responses in a row from %s", h.healthy, h.want.Release)
	if h.healthy == 1 {
		evidence = fmt.Sprintf("1 healthy response from %s", h.want.Release)
	}
	if h.want.Model != nil && !h.unnamedModel {
		evidence += fmt.Sprintf(" with model %s", h.want.Model)
	}
	evidence += fmt.Sprintf(", slowest %s", h.slowest.Round(time.Millisecond/10))
	if by := h.identity(); by != "" {
		evidence += "; identity by " + string(by)
		if detail := h.prover.before.Detail; detail != "" {
			evidence += " (" + detail + ")"
		}
	}
	evidence += h.want.describeModelUse(ctx)
	return delivery.GateResult{Gate: "health", Verdict: delivery.Passed, Evidence: evidence}
}

func (h *healthWait) failedResult(why string) (delivery.GateResult, error) {
	if h.unproven != nil {
		return unprovenResult(h.want, h.unproven)
	}
	a := delivery.GateResult{Gate: "health", Verdict: delivery.Failed, Evidence: why}
	if h.last.problem != "" {
		a.Evidence += "; last: " + h.last.problem
	}
	kind := fault.Failed
	if !h.responded {
		kind, a.Verdict = fault.Unavailable, delivery.Unavailable
	}
	return a, fault.New(kind, "health of %s: %s", h.want.Release, a.Evidence).
		Hint("%s", cmp.Or(h.last.hint, h.want.HealthPath+" must return 200; see the service's logs"))
}
