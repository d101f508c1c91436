package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRun_InOrder(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["deploy"] = func(_ context.Context, r step.Request) (step.Result, error) {
		fmt.Fprint(r.Log, "one\ntwo")
		r.OnProgress("halfway")
		r.Emit(event.Event{Kind: event.DeploymentChanged, Text: "begun"})
		keys := []string{}
		for k := range r.Inputs {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if r.Run != runID(1) || r.Service != "retail" || r.Environment != "prod" || r.StartedBy.Name != "ana" || r.Attempt != 1 || string(r.Spec.Params) != `{"port":1}` {
			t.Errorf("request: %+v", r)
		}
		if !slices.Equal(keys, []string{"build", "unit"}) || string(r.Inputs["build"]) != `{"by":"build"}` {
			t.Errorf("given: %v", r.Inputs)
		}
		for _, dir := range []string{r.WorkDir, r.ArtifactsDir, r.RepositoryDir} {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || !filepath.IsAbs(dir) {
				t.Errorf("folder %s: %v", dir, err)
			}
		}
		return step.Succeed("r-1 serves", step.DeployOutput{Release: "r-0123456789ab"})
	}
	p := newPlan(1,
		step.Spec{Name: "unit"}, step.Spec{Name: "build", Kind: step.Build, Needs: []string{"unit"}},
		step.Spec{Name: "lint"},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"build"}, Params: json.RawMessage(`{"port":1}`), Undo: step.Rollback})
	run := l.run(p)
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	if run.Release != "r-0123456789ab" || run.PID != os.Getpid() || run.EndedAt.Before(run.StartedAt) {
		t.Errorf("run: %+v", run)
	}
	wantList(t, "records", l.outcomes(run.ID), []string{"unit succeeded", "build succeeded", "lint succeeded", "deploy succeeded"})
	wantList(t, "run events", l.said(event.RunStarted, event.RunFinished), []string{"run.started", "run.finished deployed"})
	wantList(t, "deploy's events", l.said(event.StepProgress, event.StepLog, event.DeploymentChanged),
		[]string{"step.log deploy", "step.progress deploy", "deployment deploy", "step.log deploy"})
	log, err := os.ReadFile(filepath.Join(l.Home, "runs", string(run.ID), "logs", "deploy.log"))
	if err != nil || string(log) != "one\ntwo" {
		t.Errorf("log: %q, %v", log, err)
	}
	wantJournal(t, l, run.ID)
	again := l.run(p)
	if again.EndedAt != run.EndedAt || len(l.started()) != 4 {
		t.Errorf("run again: %+v", again)
	}
}

// wantJournal holds events.jsonl against what the sink got, without log lines.
func wantJournal(t *testing.T, l *lab, id delivery.RunID) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.Home, "runs", string(id), "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, fmt.Sprint(e.Kind, e.Step, e.Outcome, e.Text))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind != event.StepLog && e.Run == id {
			want = append(want, fmt.Sprint(e.Kind, e.Step, e.Outcome, e.Text))
		}
	}
	wantList(t, "events.jsonl", got, want)
}

func TestRun_EndsBeforeDeploy(t *testing.T) {
	l := newLab(t, t.TempDir())
	wantRun(t, l.run(newPlan(1, step.Spec{Name: "unit"})), record.Ended, delivery.OutcomeSucceeded, "")
}

func TestRun_PlannedSkip(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1, step.Spec{Name: "train", Kind: step.Train, Reason: "no data changed"}, step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"train"}})
	p.Steps[0].Action = step.ActionSkip
	wantRun(t, l.run(p), record.Ended, delivery.OutcomeDeployed, "")
	wantList(t, "ran", l.started(), []string{"deploy/1"})
	wantList(t, "records", l.outcomes(p.Run), []string{"train skipped", "deploy succeeded"})
}

func TestRun_NothingToDo(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1, step.Spec{Name: "unit"})
	p.Skip = "only documents changed"
	begin := time.Now()
	wantRun(t, l.run(p), record.Ended, delivery.OutcomeSkipped, "only documents changed")
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("it took %s to do nothing", took)
	}
	if len(l.started()) > 0 {
		t.Errorf("steps ran: %v", l.started())
	}
	wantList(t, "events", l.said(event.RunFinished), []string{"run.finished skipped"})
}

func TestRun_FailureStopsOtherSteps(t *testing.T) {
	l := newLab(t, t.TempDir())
	training := make(chan struct{})
	l.does["train"] = blocks(training)
	l.does["unit"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		<-training
		return fails("2 tests failed", "look at them")(ctx, r)
	}
	p := newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "train", Kind: step.Train},
		step.Spec{Name: "build", Kind: step.Build, Needs: []string{"unit"}},
		step.Spec{Name: "push", Kind: step.Push, Needs: []string{"build", "train"}})
	run := l.run(p)
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "unit: 2 tests failed")
	if run.Hint != "look at them" {
		t.Errorf("hint = %q", run.Hint)
	}
	wantList(t, "records", l.outcomes(run.ID), []string{"unit failed", "train cancelled", "build skipped", "push skipped"})
	steps, err := l.Runs.ListSteps(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2 tests failed", "unit failed", "not run: unit failed", "not run: unit failed"} {
		if got := steps[i].Result.Cause; got != want {
			t.Errorf("%s: cause %q, want %q", steps[i].Name, got, want)
		}
	}
}

func TestRun_GraceForOtherSteps(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Grace = time.Minute
	failed := make(chan struct{})
	l.Failpoint = func(point string) {
		if point == "recorded unit" {
			close(failed)
		}
	}
	linting := make(chan struct{})
	l.does["unit"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		<-linting
		return fails("no", "")(ctx, r)
	}
	l.does["lint"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		close(linting)
		<-failed
		return fails("unused variable", "")(ctx, r)
	}
	run := l.run(newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "lint"}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "unit: no")
	wantList(t, "records", l.outcomes(run.ID), []string{"unit failed", "lint failed"})
}

func TestRun_RefusesInvalidPlan(t *testing.T) {
	l := newLab(t, t.TempDir())
	cases := map[string]func(*plan.Plan){
		"a newer plan":                  func(p *plan.Plan) { p.Version++ },
		"a run that is a path":          func(p *plan.Plan) { p.Run = "../x" },
		"an environment that is a path": func(p *plan.Plan) { p.Environment = "../x" },
		"a step that is a path":         func(p *plan.Plan) { p.Steps[0].Name = "../x" },
		"a hidden step":                 func(p *plan.Plan) { p.Steps[0].Name = ".x" },
		"two of a name":                 func(p *plan.Plan) { p.Steps[1].Name = "unit" },
		"a need that is not there":      func(p *plan.Plan) { p.Steps[1].Needs = []string{"nothing"} },
		"a need that comes later":       func(p *plan.Plan) { p.Steps[0].Needs = []string{"deploy"} },
		"an unknown kind":               func(p *plan.Plan) { p.Steps[0].Kind = "teleport" },
		"an unknown undo":               func(p *plan.Plan) { p.Steps[1].Undo = "teleport" },
		"the name of an undo":           func(p *plan.Plan) { p.Steps[0].Name = "rollback.deploy" },
	}
	for name, change := range cases {
		p := newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback})
		change(&p)
		if _, err := l.Run(t.Context(), p); err == nil {
			t.Errorf("%s: the plan was run", name)
		}
	}
	runs, _, err := l.Runs.List(t.Context(), "", port.Page{})
	if err != nil || len(runs) > 0 || len(l.started()) > 0 {
		t.Errorf("something was begun: %v, %v, %v", runs, l.started(), err)
	}
}

func TestResume_RefusesRunningRun(t *testing.T) {
	home := t.TempDir()
	a, b := newLab(t, home), newLab(t, home)
	began, finish := make(chan struct{}), make(chan struct{})
	a.does["unit"] = func(context.Context, step.Request) (step.Result, error) {
		close(began)
		<-finish
		return step.Succeed("", nil)
	}
	ended := make(chan record.Run)
	go func() { r, _ := a.Run(context.Background(), newPlan(1, step.Spec{Name: "unit"})); ended <- r }()
	<-began
	if _, err := b.Resume(t.Context(), runID(1)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("resume of a run that is running: %v", err)
	}
	if runs, err := b.resumeAll(t.Context()); err == nil || len(runs) > 0 {
		t.Errorf("a run that is running was resumed: %v, %v", runs, err)
	}
	close(finish)
	wantRun(t, <-ended, record.Ended, delivery.OutcomeSucceeded, "")
	if left, err := filepath.Glob(filepath.Join(home, "locks", "*")); err != nil || len(left) > 0 {
		t.Errorf("locks left behind: %v, %v", left, err)
	}
}

func TestResume_AfterSuspend(t *testing.T) {
	l := newLab(t, t.TempDir())
	ctx, stop := context.WithCancelCause(t.Context())
	began := make(chan struct{})
	l.does["train"] = blocks(began)
	go func() { <-began; stop(engine.ErrSuspend) }()
	p := newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "train", Kind: step.Train, Needs: []string{"unit"}},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"train"}})
	if _, err := l.Run(ctx, p); !errors.Is(err, engine.ErrSuspend) {
		t.Fatalf("suspended: %v", err)
	}
	dead, err := l.Runs.Unfinished(t.Context())
	if err != nil || len(dead) != 1 || dead[0].State != record.Running {
		t.Fatalf("unfinished: %v, %v", dead, err)
	}
	delete(l.does, "train")
	runs, err := l.resumeAll(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatalf("resume: %v, %v", runs, err)
	}
	wantRun(t, runs[0], record.Ended, delivery.OutcomeDeployed, "")
	wantList(t, "ran", l.started(), []string{"unit/1", "train/1", "train/1", "deploy/1"})
}
