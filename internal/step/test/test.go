// Package test runs one test command on the commit and reads its report. The
// command's exit code decides first: a failure is a failure, whatever the report
// contains. The report can only make it worse; it provides names, locations and
// numbers.
package test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/job"
	"github.com/slipway-cd/slipway/internal/step/venv"
)

// Step runs a test command.
type Step struct {
	Commands port.Commands
	Environ  job.EnvironFunc // nil: the process's
	Clock    step.Clock
}

// Run runs the command in the checkout. Its output is step.TestOutput.
func (s Step) Run(ctx context.Context, r step.Request) (step.Result, error) {
	w, err := step.ParamsOf[step.TestParams](r.Spec)
	if err != nil {
		return step.Result{}, err
	}
	if !validFormat(w.Report) {
		return step.Result{}, fault.New(fault.Invalid, "step %s: unknown report format %q", r.Spec.Name, w.Report).
			Hint("use %s, %s, %s, or none", step.JUnit, step.GoTest, step.Ruff)
	}
	checkout, err := r.Checkout(ctx)
	if err != nil {
		return step.Result{}, err
	}
	c, report, err := s.command(r, w, checkout)
	if err != nil {
		return step.Result{}, err
	}
	if w.Box, err = job.BoxHere(ctx, s.Commands, r, w.Box); err != nil {
		return step.Result{}, err
	}
	if c.Box, err = job.InBox(ctx, r, w.Box, checkout); err != nil {
		return step.Result{}, err
	}
	maker := venv.Manager{Commands: s.Commands, Clock: s.Clock}
	python, err := maker.Ensure(ctx, r, venv.Spec{Python: w.Python, Checkout: checkout, Environ: c.Env, Box: c.Box})
	if err != nil {
		return environmentFailed(ctx, err)
	}
	c.Env, c.Box = python.Environ(c.Env), python.InBox(c.Box)
	return s.run(ctx, r, w, c, report, location{root: checkout, dir: c.Dir})
}

func validFormat(f step.ReportFormat) bool {
	return f == step.NoReport || f == step.JUnit || f == step.GoTest || f == step.Ruff
}

// environmentFailed is the result of a test without an environment to run in: the
// cause is the installer's.
func environmentFailed(ctx context.Context, err error) (step.Result, error) {
	if !venv.IsFinal(ctx, err) {
		return step.Result{}, err
	}
	result := step.FailWith(err)
	result.GateResults = []delivery.GateResult{{Gate: "tests", Verdict: venv.VerdictOf(err), Evidence: result.Cause}}
	if venv.VerdictOf(err) == delivery.Unavailable {
		result.Cause = "investigate: " + result.Cause
	}
	return result, nil
}

// command expands the template. The report of an earlier attempt is removed, so
// that it can't be taken for this one's.
func (s Step) command(r step.Request, w step.TestParams, checkout string) (port.Command, string, error) {
	dir, err := job.Dir(checkout, w.Dir)
	if err != nil {
		return port.Command{}, "", fmt.Errorf("step %s: %w", r.Spec.Name, err)
	}
	report := filepath.Join(r.WorkDir, "report.xml")
	if err := os.RemoveAll(report); err != nil {
		return port.Command{}, "", fmt.Errorf("remove the previous report: %w", err)
	}
	if err := os.MkdirAll(r.WorkDir, 0o755); err != nil {
		return port.Command{}, "", fmt.Errorf("create %s: %w", r.WorkDir, err)
	}
	run, err := job.Render(w.Run, job.Vars{"Report": job.Quote(report)})
	if err != nil {
		return port.Command{}, "", err
	}
	own := map[string]string{"SLIPWAY_REPORT": report, "SLIPWAY_RUN": string(r.Run), "SLIPWAY_COMMIT": r.Commit.SHA}
	env, err := job.BuildEnv(s.Environ, w.Env, own)
	if err != nil {
		return port.Command{}, "", err
	}
	return port.Command{Run: run, Dir: dir, Env: env, Timeout: r.Spec.Timeout.D()}, report, nil
}

func (s Step) run(ctx context.Context, r step.Request, w step.TestParams, c port.Command, report string, at location) (step.Result, error) {
	last := &job.TailWriter{To: r.Log}
	var out io.Writer = last
	var events *goTest
	var findings *ruff
	switch w.Report {
	case step.GoTest:
		at.module, at.moduleDir = moduleOf(at)
		events = newGoTest(last, at, r.Progress)
		out = events
	case step.Ruff:
		findings = &ruff{log: last, location: at}
		out = findings
	}
	exit, err := s.Commands.Run(ctx, c, out)
	if err != nil {
		return step.Result{}, fmt.Errorf("run %s: %w", r.Spec.Name, err)
	}
	var found tally
	var trouble error
	switch w.Report {
	case step.JUnit:
		found, trouble = readJUnit(report, at)
	case step.GoTest:
		found, trouble = events.finish()
	case step.Ruff:
		found, trouble = findings.finish(report)
	}
	for _, name := range found.flakyTests {
		r.Logf("flaky: %s failed, and passed when it was run again", name)
	}
	return conclude(w, exit, found, trouble, last.LastLine())
}

// conclude combines exit code and report into the result, the exit code first.
func conclude(w step.TestParams, exit port.Exit, found tally, trouble error, last string) (step.Result, error) {
	out := found.tested()
	out.Box = w.Box
	result, err := step.Succeed(out.summary(w.Report), out.TestOutput)
	if err != nil {
		return step.Result{}, err
	}
	cause, hint := job.FailureCause(exit, w.Run)
	verdict := delivery.Failed
	switch {
	case cause != "" && out.Failed > 0:
		cause = out.cause(w.Report)
	case cause != "":
		cause = withLastLine(cause, last)
	case trouble != nil:
		verdict = delivery.Unavailable
		cause, hint = "investigate: the command succeeded, but "+trouble.Error(), fault.HintOf(trouble)
	case out.Failed > 0:
		cause, hint = out.cause(w.Report), "the command exited with code 0 anyway: does it end with `|| true`?"
	case w.Report != step.NoReport && w.Report != step.Ruff && out.Passed == 0 && !w.AllowEmpty:
		verdict = delivery.Unavailable
		cause = fmt.Sprintf("investigate: the command ran no tests (%d skipped)", out.Skipped)
		hint = "check that the command finds the tests, or set allow_empty"
	default:
		return result, nil
	}
	result.Outcome, result.Cause, result.Hint = delivery.OutcomeFailed, cause, hint
	result.GateResults = []delivery.GateResult{{Gate: "tests", Verdict: verdict, Evidence: cause}}
	return result, nil
}

func withLastLine(cause, last string) string {
	if last == "" {
		return cause
	}
	return cause + "; last line of output: " + last
}
