package probe

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
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
	header http.Header // with the values of variables: never shown
	body   []byte
	expect []gate.Check
}

// CompileChecks compiles the checks, with the variables that their headers refer to. A
// wrong expression is fault.Invalid, a variable that is not set fault.NotFound.
func CompileChecks(checks []step.Check, lookupEnv func(string) (string, bool)) (SmokeChecks, error) {
	smoke := make(SmokeChecks, 0, len(checks))
	for i, c := range checks {
		if c.Name == "" {
			c.Name = strings.TrimSpace(fmt.Sprintf("%d %s", i+1, c.Path))
		}
		if c.Status == 0 {
			c.Status = http.StatusOK
		}
		one := compiledCheck{Check: c}
		var err error
		if one.header, err = expandHeaders(c, lookupEnv); err != nil {
			return nil, err
		}
		one.body, one.header = bodyOf(c, one.header)
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

// expandHeaders returns the headers of the check's request.
func expandHeaders(c step.Check, lookupEnv func(string) (string, bool)) (http.Header, error) {
	header := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value, err := extension.Expand(c.Headers[name], lookupEnv)
		if err != nil {
			return nil, fault.New(fault.NotFound, "smoke check %s: header %s", c.Name, name).Cause(err).
				Hint("set the variable where slipway runs")
		}
		header.Set(name, value)
	}
	return header, nil
}

// bodyOf returns the body of the check's request, and header with its type, unless that
// is JSON or given.
func bodyOf(c step.Check, header http.Header) ([]byte, http.Header) {
	if len(c.Body) == 0 {
		return []byte(c.JSON), header
	}
	if header.Get("Content-Type") == "" {
		kind := "text/plain; charset=utf-8"
		if c.File != "" {
			kind = "application/octet-stream"
		}
		header.Set("Content-Type", kind)
	}
	return c.Body, header
}

// CheckSmoke runs all smoke checks, so that every result is reported, and returns
// the first failure: fault.Failed, or fault.Unavailable without a response. If the
// target is to blame, the error is a failure of the infrastructure.
func (p Checker) CheckSmoke(ctx context.Context, r step.Request, url string, w Expectation) ([]delivery.GateResult, error) {
	var answers []delivery.GateResult
	var first error
	for _, c := range w.Smoke.inOrder() {
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
		first = fault.New(kind, "%s of %s: %s", a.Gate, w.Release, a.Evidence).Hint("%s", smokeHint(c, a.Verdict))
	}
	if first == nil {
		return answers, nil
	}
	if outage := w.checkFailure(ctx); fault.IsInfrastructure(outage) {
		first = fault.New(fault.Unavailable, "%v", first).Cause(outage).Hint("%s", fault.HintOf(outage))
	}
	return answers, first
}

// smokeHint is what to do about a check that did not pass.
func smokeHint(c compiledCheck, v delivery.Verdict) string {
	switch {
	case c.ModelOpened && v == delivery.Unavailable:
		return "remove model_opened from deploy.smoke for this target"
	case c.ModelOpened:
		return "the service has to read its model from the folder in MODEL_PATH"
	case v == delivery.Unavailable:
		return ""
	}
	return fmt.Sprintf("fix the service, or the check %q of deploy.smoke if it expects the wrong thing", c.Name)
}

// inOrder returns the checks that send requests, then those of what the requests led
// to.
func (s SmokeChecks) inOrder() SmokeChecks {
	var requests, others SmokeChecks
	for _, c := range s {
		if c.ModelOpened {
			others = append(others, c)
		} else {
			requests = append(requests, c)
		}
	}
	return append(requests, others...)
}

func (p Checker) runCheck(ctx context.Context, url string, c compiledCheck, w Expectation) delivery.GateResult {
	a := delivery.GateResult{Gate: "smoke: " + c.Name, Verdict: delivery.Failed}
	if c.ModelOpened {
		a.Verdict, a.Evidence = w.checkModelOpened(ctx)
		return a
	}
	reply, err := p.send(ctx, url, c)
	switch {
	case err != nil:
		a.Verdict, a.Evidence = delivery.Unavailable, "no response: "+rootCause(err)
		return a
	case reply.Status != c.Status:
		a.Evidence = fmt.Sprintf("%s returned %d, want %d%s", title(c), reply.Status, c.Status, quoted(reply.Body))
		return a
	}
	if reply.Truncated && len(c.expect) > 0 {
		a.Verdict = delivery.Unavailable
		a.Evidence = fmt.Sprintf("%s returned more than %d bytes: %s can't be evaluated", title(c), len(reply.Body), c.expect[0])
		return a
	}
	seen := gate.Response{Status: reply.Status, Body: reply.Body, Headers: flattenHeader(reply.Header), Release: string(w.Release)}
	if w.Model != nil {
		seen.ModelVersion = strconv.Itoa(w.Model.Version)
	}
	said := []string{fmt.Sprintf("%s returned %d in %s", title(c), reply.Status, reply.Latency.Round(time.Millisecond/10))}
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
	q := port.ProbeRequest{Method: methodOf(c), URL: joinURL(url, c.Path), Header: c.header, Body: c.body, Timeout: requestTimeout}
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

// title is the check's request for people.
func title(c compiledCheck) string {
	s := methodOf(c) + " " + c.Path
	if c.File != "" {
		s += " with " + c.File
	}
	return s
}

// methodOf returns GET, or POST if there is a body.
func methodOf(c compiledCheck) string {
	switch {
	case c.Method != "":
		return c.Method
	case c.JSON != "" || len(c.Body) > 0:
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
