// Package probe checks over HTTP whether a service is the release that it should
// be, is healthy, and passes its smoke checks.
package probe

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// Defaults and intervals.
const (
	defaultSuccessThreshold = 3
	defaultTimeout          = time.Minute
	defaultHealthPath       = "/health"

	requestTimeout     = 5 * time.Second        // of one request
	lastRequestTimeout = 500 * time.Millisecond // of one for which less time is left
	healthyInterval    = 20 * time.Millisecond
	minRetryWait       = 100 * time.Millisecond // after an unhealthy response; grows
	maxRetryWait       = time.Second
	maxFatalChecks     = 3 // responses in a row that will not improve
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
	// NamesModel is set if the service loads its model itself: it has to name the version
	// then, as nothing else tells which one it loaded.
	NamesModel bool
	// Exclusive is set if the address reaches only this release: a response by
	// another one will not go away.
	Exclusive bool
	// Identify proves which release responds at the URL, for a service that does not
	// name it; nil: the target can't.
	Identify func(ctx context.Context, url string) (port.Proof, error)
	// ModelUse returns whether the release opened its model's files, and how the target
	// says it; nil: unknown.
	ModelUse func(ctx context.Context) (use port.ModelUse, detail string)
	// FailureCheck returns why the service can't become healthy any more, or nil. A
	// failure of the infrastructure is no verdict on the release. It is called
	// between requests; nil: not known.
	FailureCheck func(ctx context.Context) error
}

// ExpectationFor returns what a release that runs under the name has to respond. A
// wrong smoke check is fault.Invalid, an unset variable fault.NotFound.
// lookupEnv returns the variables that requests need; nil: os.LookupEnv.
func ExpectationFor(p step.ProbeParams, timeout time.Duration, name delivery.ReleaseID, rel delivery.Release, lookupEnv func(string) (string, bool)) (Expectation, error) {
	if lookupEnv == nil {
		lookupEnv = os.LookupEnv
	}
	smoke, err := CompileChecks(p.Checks, lookupEnv)
	if err != nil {
		return Expectation{}, err
	}
	return Expectation{
		Release: name, Model: rel.Model, HealthPath: rel.Workload.Health,
		SuccessThreshold: p.SuccessThreshold, Timeout: timeout, Smoke: smoke, NamesModel: rel.LoadsModel(),
	}, nil
}

// Report is the result of a check.
type Report struct {
	GateResults []delivery.GateResult
	Identity    port.ProofMethod // by which the target proved the release; empty: the service names it
}

// Check waits until the service has responded healthy often enough in a row as
// the expected release, and then runs the smoke checks. The gates' results are
// reported and returned. A wrong response is fault.Failed; a service that never
// responded, or whose release can't be proved, is fault.Unavailable.
func (p Checker) Check(ctx context.Context, r step.Request, url string, w Expectation) (Report, error) {
	h := &healthWait{Checker: p, request: r, url: url, want: w.withDefaults()}
	h.prover = prover{identify: w.Identify, url: url}
	health, err := h.run(ctx)
	if ctx.Err() != nil {
		return Report{}, context.Cause(ctx)
	}
	report := Report{GateResults: []delivery.GateResult{health}, Identity: h.identity()}
	r.ReportGates(health)
	if err != nil {
		return report, err
	}
	smoke, err := p.CheckSmoke(ctx, r, url, w)
	report.GateResults = append(report.GateResults, smoke...)
	return report, err
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
