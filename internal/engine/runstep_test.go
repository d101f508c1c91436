package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/redact"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRetries(t *testing.T) {
	cases := []struct {
		name     string
		retries  int
		err      error
		heal     int // attempt that succeeds, 0: none
		attempts int
		outcome  delivery.Outcome
		cause    string
	}{
		{"no error", 3, nil, 1, 1, delivery.OutcomeSucceeded, ""},
		{"it heals", 3, fault.New(fault.Unavailable, "no answer"), 3, 3, delivery.OutcomeSucceeded, ""},
		{"a plain error heals", 3, errors.New("connection reset"), 2, 2, delivery.OutcomeSucceeded, ""},
		{"it does not heal", 2, fault.New(fault.Unavailable, "no answer"), 0, 3, delivery.OutcomeFailed, "s: no answer"},
		{"none is wanted", 0, fault.New(fault.Unavailable, "no answer"), 2, 1, delivery.OutcomeFailed, "s: no answer"},
		{"denied", 3, fault.New(fault.Denied, "no access"), 0, 1, delivery.OutcomeFailed, "s: no access"},
		{"invalid", 3, fmt.Errorf("build: %w", fault.New(fault.Invalid, "no such package")), 0, 1, delivery.OutcomeFailed, "s: build: no such package"},
		{"said no", 3, fault.New(fault.Failed, "no"), 0, 1, delivery.OutcomeFailed, "s: no"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			l.does["s"] = func(_ context.Context, r step.Request) (step.Result, error) {
				if r.Attempt == c.heal {
					return step.Succeed("", nil)
				}
				return step.Result{}, c.err
			}
			run := l.run(newPlan(1, step.Spec{Name: "s", Retries: c.retries}))
			wantRun(t, run, record.Ended, c.outcome, c.cause)
			var want []string
			for i := range c.attempts {
				want = append(want, fmt.Sprintf("s/%d", i+1))
			}
			wantList(t, "attempts", l.started(), want)
		})
	}
}

func TestStep_FailedResultIsFinal(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["s"] = fails("accuracy = 0.7", "")
	wantRun(t, l.run(newPlan(1, step.Spec{Name: "s", Retries: 5})), record.Ended, delivery.OutcomeFailed, "s: accuracy = 0.7")
	wantList(t, "attempts", l.started(), []string{"s/1"})
}

func TestBackoff(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Backoff, l.Jitter = 20*time.Millisecond, func() float64 { return 1 }
	l.does["s"] = broken(errors.New("no"))
	begin := time.Now()
	l.run(newPlan(1, step.Spec{Name: "s", Retries: 2}))
	if took := time.Since(begin); took < 72*time.Millisecond { // 24 + 48
		t.Errorf("two retries took only %s", took)
	}
}

func TestTimeout(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["s"] = func(ctx context.Context, _ step.Request) (step.Result, error) {
		<-ctx.Done()
		return step.Result{}, context.Cause(ctx)
	}
	run := l.run(newPlan(1, step.Spec{Name: "s", Timeout: delivery.Duration(10 * time.Millisecond), Retries: 1}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "s: timed out after 10ms")
	if run.Hint == "" {
		t.Error("there is no hint")
	}
	wantList(t, "attempts", l.started(), []string{"s/1", "s/2"})
	l.does["s"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		<-ctx.Done() // a command that was killed says only that it failed
		return fails("exit code 143", "")(ctx, r)
	}
	run = l.run(newPlan(2, step.Spec{Name: "s", Timeout: delivery.Duration(10 * time.Millisecond)}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "s: timed out after 10ms")
}

func TestStep_InvalidResults(t *testing.T) {
	cases := map[string]struct {
		do    do
		cause string
	}{
		"panic":       {func(context.Context, step.Request) (step.Result, error) { panic("oh no") }, "s: step s panicked: panic: oh no"},
		"no outcome":  {func(context.Context, step.Request) (step.Result, error) { return step.Result{}, nil }, `outcome ""`},
		"run outcome": {answers(delivery.OutcomeDeployed, ""), `outcome "deployed"`},
		"bad output": {func(context.Context, step.Request) (step.Result, error) {
			return step.Result{Outcome: delivery.OutcomeSucceeded, Output: []byte("{")}, nil
		}, "output is not JSON"},
	}
	for name, c := range cases {
		l := newLab(t, t.TempDir())
		l.does["s"] = c.do
		wantRun(t, l.run(newPlan(1, step.Spec{Name: "s"})), record.Ended, delivery.OutcomeFailed, c.cause)
		log, _ := os.ReadFile(filepath.Join(l.Home, "runs", string(runID(1)), "logs", "s.log"))
		if name == "panic" && !strings.Contains(string(log), "runstep_test.go") {
			t.Errorf("the log does not tell where it was: %s", log)
		}
	}
}

// reuser looks at cached results; tooled also has tools.
type reuser struct {
	do
	ok  bool
	err error
}

func (r reuser) Revalidate(_ context.Context, _ step.Request, cached step.Result) (step.Result, bool, error) {
	cached.Summary = "looked at"
	return cached, r.ok, r.err
}

type tooled struct {
	do
	version string
}

func (s tooled) Fingerprint(context.Context, step.Spec) (string, error) { return s.version, nil }

func TestCache(t *testing.T) {
	l := newLab(t, t.TempDir())
	build := func(n int, change func(*step.Spec)) []string {
		spec := step.Spec{Name: "build", Kind: step.Build, Cacheable: true, Inputs: "sha256:1"}
		if change != nil {
			change(&spec)
		}
		l.mu.Lock()
		l.ran = nil
		l.mu.Unlock()
		p := newPlan(n, spec, step.Spec{Name: "push", Kind: step.Push, Needs: []string{"build"}})
		wantRun(t, l.run(p), record.Ended, delivery.OutcomeSucceeded, "")
		return l.started()
	}
	all, cached := []string{"build/1", "push/1"}, []string{"push/1"}
	wantList(t, "first", build(1, nil), all)
	wantList(t, "again", build(2, nil), cached)
	steps, err := l.Runs.ListSteps(t.Context(), runID(2))
	if err != nil || !steps[0].Result.Cached || string(steps[0].Result.Output) != `{"by":"build"}` {
		t.Errorf("cached: %+v, %v", steps[0].Result, err)
	}
	wantList(t, "fresh", build(3, func(s *step.Spec) { s.SkipCache = true }), all)
	wantList(t, "other inputs", build(4, func(s *step.Spec) { s.Inputs = "sha256:2" }), all)
	wantList(t, "not cacheable", build(5, func(s *step.Spec) { s.Cacheable = false }), all)
	l.Steps[step.Build] = reuser{l.step, true, nil}
	wantList(t, "still good", build(6, nil), cached)
	if steps, err = l.Runs.ListSteps(t.Context(), runID(6)); err != nil || steps[0].Result.Summary != "looked at" {
		t.Errorf("looked at: %+v, %v", steps[0].Result, err)
	}
	l.Steps[step.Build] = reuser{l.step, false, nil}
	wantList(t, "its files are gone", build(7, nil), all)
	l.Steps[step.Build] = tooled{l.step, "go1.26"}
	wantList(t, "other tools", build(8, nil), all)
	wantList(t, "the same tools", build(9, nil), cached)
	l.Steps[step.Build] = tooled{l.step, "go1.27"}
	wantList(t, "newer tools", build(10, nil), all)
}

// TestCache_ByTrustClass: what a pull request's code made is used by no other run, and
// what the repository's made by no pull request.
func TestCache_ByTrustClass(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.CacheDir = filepath.Join(t.TempDir(), "project")
	var folders []string
	l.does["unit"] = func(_ context.Context, r step.Request) (step.Result, error) {
		folders = append(folders, r.CacheDir)
		return step.Succeed("passed", nil)
	}
	run := func(n int, event, reported plan.TriggerEvent) {
		t.Helper()
		p := newPlan(n, step.Spec{Name: "unit", Kind: step.Test, Inputs: "sha256:1", Cacheable: true})
		p.Trigger.Event = event
		if reported != "" {
			p.Trigger.CI = &plan.CI{Name: "github", Event: reported}
		}
		wantRun(t, l.run(p), record.Ended, delivery.OutcomeSucceeded, "")
	}
	run(1, plan.PullRequestEvent, "")
	run(2, plan.PushEvent, "")
	run(3, plan.PushEvent, plan.PullRequestEvent) // what the CI says counts
	run(4, plan.ManualEvent, "")
	wantList(t, "cache folders of the runs that ran the step", folders,
		[]string{filepath.Join(l.CacheDir, "untrusted"), filepath.Join(l.CacheDir, "trusted")})
}

func TestCache_SkipsFailures(t *testing.T) {
	l := newLab(t, t.TempDir())
	spec := step.Spec{Name: "s", Cacheable: true, Inputs: "sha256:1"}
	for i, o := range []delivery.Outcome{delivery.OutcomeFailed, delivery.OutcomeSkipped} {
		l.does["s"] = answers(o, "no")
		l.run(newPlan(i+1, spec))
	}
	wantList(t, "ran", l.started(), []string{"s/1", "s/1"})
	l.Steps[step.Test] = reuser{l.step, true, errors.New("champion is away")}
	delete(l.does, "s")
	l.run(newPlan(3, spec))
	wantRun(t, l.run(newPlan(4, spec)), record.Ended, delivery.OutcomeFailed, "s: champion is away")
}

// TestRedactor_HidesSecrets: whatever a step says, the secret is in no file and in no event.
func TestRedactor_HidesSecrets(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Redactor = redact.New("hunter22")
	const secret = "hunter22"
	l.does["s"] = func(_ context.Context, r step.Request) (step.Result, error) {
		fmt.Fprintln(r.Log, "password is", secret)
		r.OnProgress("with " + secret)
		r.Emit(event.Event{Kind: event.GateEvaluated, GateResult: &delivery.GateResult{Gate: "g", Verdict: delivery.Passed, Evidence: secret}})
		return step.Result{
			Outcome: delivery.OutcomeFailed, Cause: "wrong " + secret, Hint: "not " + secret, Summary: secret,
			Output: []byte(`{"n": 12345678901234567, "list":[{"message":"has ` + secret + `"}]}`), GateResults: []delivery.GateResult{{Evidence: secret}},
		}, nil
	}
	l.does["p"] = func(context.Context, step.Request) (step.Result, error) { panic(secret) }
	run := l.run(newPlan(1, step.Spec{Name: "s"}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "s: wrong ***")
	l.run(newPlan(2, step.Spec{Name: "p"}))
	steps, err := l.Runs.ListSteps(t.Context(), run.ID)
	if err != nil || string(steps[0].Result.Output) != `{"list":[{"message":"has ***"}],"n":12345678901234567}` {
		t.Errorf("output: %s, %v", steps[0].Result.Output, err)
	}
	for _, e := range l.events {
		if strings.Contains(fmt.Sprintf("%+v %+v", e, e.GateResult), secret) {
			t.Errorf("event: %+v", e)
		}
	}
	err = filepath.WalkDir(l.Home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), secret) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
