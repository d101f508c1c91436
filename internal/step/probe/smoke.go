package probe

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/gate"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often a smoke request without a response is sent, and with what pause. One
// with a wrong response is not repeated: users do not retry either.
const (
	smokeAttempts = 3
	smokeWait     = 200 * time.Millisecond
)

// SmokeChecks are compiled smoke checks.
type SmokeChecks []compiledCheck

type compiledCheck struct {
	step.Check
	expect []gate.Check
}

// CompileChecks compiles the checks; a wrong expression is fault.Invalid.
func CompileChecks(checks []step.Check) (SmokeChecks, error) {
	smoke := make(SmokeChecks, 0, len(checks))
	for i, c := range checks {
		if c.Name == "" {
			c.Name = strings.TrimSpace(fmt.Sprintf("%d %s", i+1, c.Path))
		}
		if c.Status == 0 {
			c.Status = http.StatusOK
		}
		one := compiledCheck{Check: c}
		for _, expr := range c.Expect {
			e, err := gate.CompileCheck(expr)
			if err != nil {
				return nil, fault.New(fault.Invalid, "smoke check %s: parse %q", c.Name, expr).Cause(err)
			}
			one.expect = append(one.expect, e)
		}
		smoke = append(smoke, one)
	}
	return smoke, nil
}

// CheckSmoke runs all smoke checks, so that every result is reported, and returns
// the first failure: fault.Failed, or fault.Unavailable without a response. If the
// target is to blame, the error is a failure of the infrastructure.
func (p Checker) CheckSmoke(ctx context.Context, r step.Request, url string, w Expectation) ([]delivery.GateResult, error) {
	var answers []delivery.GateResult
	var first error
	for _, c := range w.Smoke {
		r.Progress("smoke check %s", c.Name)
		a := p.runCheck(ctx, url, c, w)
		if ctx.Err() != nil {
			return answers, context.Cause(ctx)
		}
		r.ReportGates(a)
		answers = append(answers, a)
		if a.Verdict == delivery.Passed || first != nil {
			continue
		}
		kind := fault.Failed
		if a.Verdict == delivery.Unavailable {
			kind = fault.Unavailable
		}
		first = fault.New(kind, "%s of %s: %s", a.Gate, w.Release, a.Evidence)
	}
	if first == nil {
		return answers, nil
	}
	if outage := w.checkFailure(ctx); fault.IsInfrastructure(outage) {
		first = fault.New(fault.Unavailable, "%v", first).Cause(outage).Hint("%s", fault.HintOf(outage))
	}
	return answers, first
}

func (p Checker) runCheck(ctx context.Context, url string, c compiledCheck, w Expectation) delivery.GateResult {
	a := delivery.GateResult{Gate: "smoke: " + c.Name, Verdict: delivery.Failed}
	reply, err := p.send(ctx, url, c)
	switch {
	case err != nil:
		a.Verdict, a.Evidence = delivery.Unavailable, "no response: "+rootCause(err)
		return a
	case reply.Status != c.Status:
		a.Evidence = fmt.Sprintf("%s %s returned %d, want %d%s", methodOf(c), c.Path, reply.Status, c.Status, quoted(reply.Body))
		return a
	}
	seen := gate.Response{Status: reply.Status, Body: reply.Body, Headers: flattenHeader(reply.Header), Release: string(w.Release)}
	if w.Model != nil {
		seen.ModelVersion = strconv.Itoa(w.Model.Version)
	}
	said := []string{fmt.Sprintf("%s %s returned %d in %s", methodOf(c), c.Path, reply.Status, reply.Latency.Round(time.Millisecond/10))}
	for _, e := range c.expect {
		yes, why := e.Evaluate(seen)
		if !yes {
			a.Evidence = fmt.Sprintf("%s is false: %s", e, why)
			return a
		}
		said = append(said, why)
	}
	a.Verdict, a.Evidence = delivery.Passed, strings.Join(said, "; ")
	return a
}

func (p Checker) send(ctx context.Context, url string, c compiledCheck) (reply port.ProbeResponse, err error) {
	q := port.ProbeRequest{Method: methodOf(c), URL: joinURL(url, c.Path), Body: []byte(c.JSON), Timeout: requestTimeout}
	for range smokeAttempts {
		if reply, err = p.Prober.Probe(ctx, q); err == nil {
			return reply, nil
		}
		if ended := wait.Sleep(ctx, smokeWait); ended != nil {
			return reply, ended
		}
	}
	return reply, err
}

// methodOf returns GET, or POST if there is a body.
func methodOf(c compiledCheck) string {
	switch {
	case c.Method != "":
		return c.Method
	case c.JSON != "":
		return http.MethodPost
	}
	return http.MethodGet
}

func flattenHeader(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for k, v := range h {
		out[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	return out
}
