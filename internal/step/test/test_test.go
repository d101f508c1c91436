package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "DB_PASSWORD=hunter22", "SECRET_TOKEN=abc"}
}

func ask(t *testing.T, w step.TestParams, log *bytes.Buffer) step.Request {
	t.Helper()
	with, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.MkdirAll(root+"/server", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/server/a.py", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return step.Request{
		Run: "20260102-030405-abcd", Spec: step.Spec{Name: "test.unit", Kind: step.Test, Params: with}, Attempt: 1,
		WorkDir: t.TempDir() + "/it's work", Log: log,
		Checkout: func(context.Context) (string, error) { return root, nil },
	}
}

const (
	good = `echo '<testsuite><testcase name="a"/><testcase name="b"/></testsuite>' > {{.Report}}`
	bad  = `echo '<testsuite><testcase name="a"/><testcase name="b"><failure message="no">server/a.py:3</failure></testcase></testsuite>' > {{.Report}}`
	none = `echo '<testsuite/>' > {{.Report}}`
)

func TestRun(t *testing.T) {
	cases := []struct {
		name    string
		with    step.TestParams
		outcome delivery.Outcome
		says    string // in the summary or the cause
		verdict delivery.Verdict
	}{
		{"no report, exit 0", step.TestParams{Run: "true"}, delivery.OutcomeSucceeded, "exit 0", ""},
		{"no report, exit 3", step.TestParams{Run: "echo broken; exit 3"}, delivery.OutcomeFailed, "(exit 3); last line of output: broken", delivery.Failed},
		{"no such program", step.TestParams{Run: "no-such-program"}, delivery.OutcomeFailed, "exit 127", delivery.Failed},
		{"killed", step.TestParams{Run: "exit 137"}, delivery.OutcomeFailed, "killed", delivery.Failed},
		{"all pass", step.TestParams{Run: good, Report: step.JUnit}, delivery.OutcomeSucceeded, "2 passed", ""},
		{"passes, but exit 1", step.TestParams{Run: good + "; exit 1", Report: step.JUnit}, delivery.OutcomeFailed, "exit 1", delivery.Failed},
		{"fails, exit 1", step.TestParams{Run: bad + "; exit 1", Report: step.JUnit}, delivery.OutcomeFailed, "1 of 2 failed: b (server/a.py:3): no", delivery.Failed},
		{"fails, swallowed", step.TestParams{Run: bad + "; false || true", Report: step.JUnit}, delivery.OutcomeFailed, "1 of 2 failed", delivery.Failed},
		{"no test", step.TestParams{Run: none, Report: step.JUnit}, delivery.OutcomeFailed, "ran no test", delivery.Unavailable},
		{"no test is fine", step.TestParams{Run: none, Report: step.JUnit, AllowEmpty: true}, delivery.OutcomeSucceeded, "0 passed", ""},
		{"no report written", step.TestParams{Run: "true", Report: step.JUnit}, delivery.OutcomeFailed, "investigate", delivery.Unavailable},
		{"no report written is never fine", step.TestParams{Run: "true", Report: step.JUnit, AllowEmpty: true}, delivery.OutcomeFailed, "no report", delivery.Unavailable},
		{"half a report", step.TestParams{Run: "echo '<testsuite><testcase' > {{.Report}}", Report: step.JUnit}, delivery.OutcomeFailed, "incomplete", delivery.Unavailable},
		{"half a report and exit 1", step.TestParams{Run: "echo '<testsuite' > {{.Report}}; exit 1", Report: step.JUnit}, delivery.OutcomeFailed, "exit 1", delivery.Failed},
		{"go without events", step.TestParams{Run: "echo ok", Report: step.GoTest}, delivery.OutcomeFailed, "no test events", delivery.Unavailable},
		{"go", step.TestParams{Run: `echo '{"Action":"pass","Package":"p","Test":"T"}'; echo '{"Action":"pass","Package":"p"}'`, Report: step.GoTest}, delivery.OutcomeSucceeded, "1 passed", ""},
		{"in its folder", step.TestParams{Run: "test -f a.py", Dir: "server"}, delivery.OutcomeSucceeded, "exit 0", ""},
		{"its environment", step.TestParams{
			Run: `test "$CI$SLIPWAY_RUN$PW-$SECRET_TOKEN" = true20260102-030405-abcdxhunter22-`,
			Env: map[string]string{"PW": "x${DB_PASSWORD}"},
		}, delivery.OutcomeSucceeded, "exit 0", ""},
		{"the report's place", step.TestParams{Run: `test "$SLIPWAY_REPORT" = {{.Report}}`}, delivery.OutcomeSucceeded, "exit 0", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			res, err := Step{Commands: fake.Shell{}, Environ: environ}.Run(t.Context(), ask(t, c.with, &log))
			if err != nil {
				t.Fatal(err)
			}
			if res.Outcome != c.outcome || !strings.Contains(res.Summary+"\n"+res.Cause, c.says) {
				t.Errorf("%s: %q, %q\n%s", res.Outcome, res.Summary, res.Cause, log.String())
			}
			if c.verdict != "" && (len(res.GateResults) != 1 || res.GateResults[0].Verdict != c.verdict) {
				t.Errorf("answers %v, want %s", res.GateResults, c.verdict)
			}
			if _, ok, err := step.DecodeOutput[step.TestOutput](map[string]json.RawMessage{"x": res.Output}, "x"); !ok || err != nil {
				t.Errorf("output %s: %v", res.Output, err)
			}
		})
	}
}

func TestRun_InvalidParams(t *testing.T) {
	cases := map[string]step.TestParams{
		"PASSPHRASE":       {Run: "true", Env: map[string]string{"PW": "${PASSPHRASE}"}},
		"{{.Report}}":      {Run: "echo {{.Reprot}}"},
		"outside":          {Run: "true", Dir: "../elsewhere"},
		"unknown report":   {Run: "true", Report: "tap"},
		"parse the comman": {Run: "echo {{"},
	}
	for says, w := range cases {
		t.Run(says, func(t *testing.T) {
			_, err := Step{Commands: fake.Shell{}, Environ: environ}.Run(t.Context(), ask(t, w, &bytes.Buffer{}))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error()+fault.HintOf(err), says) {
				t.Errorf("want %q: %v (%s)", says, err, fault.HintOf(err))
			}
			if err != nil && strings.Contains(err.Error(), "hunter22") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}

// TestRun_RemovesOldReport runs twice: what the first attempt reported must not
// stand for the second, which reports nothing.
func TestRun_RemovesOldReport(t *testing.T) {
	r := ask(t, step.TestParams{Run: good, Report: step.JUnit}, &bytes.Buffer{})
	s := Step{Commands: fake.Shell{}, Environ: environ}
	if res, err := s.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
	}
	r.Spec.Params = json.RawMessage(`{"run":"true","report":"junit"}`)
	if res, err := s.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
	}
}

func TestRun_TimeoutAndCancel(t *testing.T) {
	r := ask(t, step.TestParams{Run: "exec sleep 60"}, &bytes.Buffer{})
	r.Spec.Timeout = delivery.Duration(50 * time.Millisecond)
	s := Step{Commands: fake.Shell{}, Environ: environ}
	res, err := s.Run(t.Context(), r)
	if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, "timed out") {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed, "timed out")
	}
	r.Spec.Timeout = 0
	why := errors.New("stop")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	if _, err := s.Run(ctx, r); !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
}
