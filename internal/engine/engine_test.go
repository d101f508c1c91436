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
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// do is a step made of a function.
type do func(ctx context.Context, r step.Request) (step.Result, error)

func (f do) Run(ctx context.Context, r step.Request) (step.Result, error) { return f(ctx, r) }

// lab is an engine with its records and everything that it said.
type lab struct {
	t *testing.T
	*engine.Engine
	mu     sync.Mutex
	events []event.Event
	ran    []string // "name/attempt" in order of start
	does   map[string]do
}

// newLab makes an engine over home: one of several processes that share it.
func newLab(t *testing.T, home string) *lab {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(home, "slipway.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l := &lab{t: t, does: map[string]do{}}
	l.Engine = &engine.Engine{
		Store: store, Home: home, Repository: home, PID: os.Getpid(), Host: "lab",
		Sink: event.Func(func(e event.Event) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.events = append(l.events, e)
		}),
		Steps: map[step.Kind]step.Step{}, Grace: -1, Backoff: time.Millisecond,
	}
	for _, k := range []step.Kind{step.Test, step.Build, step.Push, step.Train, step.Approve, step.Deploy, step.Verify, step.Rollback} {
		l.Steps[k] = do(l.step)
	}
	return l
}

// step runs what the test says for the step's name; without, it succeeds with its
// name as output.
func (l *lab) step(ctx context.Context, r step.Request) (step.Result, error) {
	l.mu.Lock()
	l.ran = append(l.ran, fmt.Sprintf("%s/%d", r.Spec.Name, r.Attempt))
	f := l.does[r.Spec.Name]
	l.mu.Unlock()
	if f != nil {
		return f(ctx, r)
	}
	return step.Succeed("fine", map[string]string{"by": r.Spec.Name})
}

func (l *lab) started() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ran)
}

// said lists the events of those kinds as "kind step outcome".
func (l *lab) said(kinds ...event.Kind) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, e := range l.events {
		if slices.Contains(kinds, e.Kind) {
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", e.Kind, e.Step, e.Outcome)), " "))
		}
	}
	return out
}

func (l *lab) run(p plan.Plan) record.Run {
	l.t.Helper()
	run, err := l.Run(l.t.Context(), p)
	if err != nil {
		l.t.Fatalf("run: %v", err)
	}
	return run
}

// outcomes are the recorded steps of a run as "name outcome", by index.
func (l *lab) outcomes(id delivery.RunID) []string {
	l.t.Helper()
	steps, err := l.Store.Steps(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for _, s := range steps {
		o := delivery.Outcome("unfinished")
		if s.Result != nil {
			o = s.Result.Outcome
		}
		out = append(out, fmt.Sprintf("%s %s", s.Name, o))
	}
	return out
}

func runID(n int) delivery.RunID { return delivery.RunID(fmt.Sprintf("20261124-101502-%04d", n)) }

// newPlan is a plan of those steps; "deploy" and the like get their kind.
func newPlan(n int, specs ...step.Spec) plan.Plan {
	for i := range specs {
		if specs[i].Kind == "" {
			specs[i].Kind = step.Test
		}
		specs[i].Action = step.Do
	}
	return plan.Plan{
		Version: plan.Version, Purpose: plan.Deliver, Run: runID(n), Service: "retail", Environment: "prod",
		Commit:  delivery.Commit{SHA: strings.Repeat("a", 40), Tree: strings.Repeat("b", 40)},
		Trigger: plan.Trigger{Event: "manual", By: "ana"}, Steps: specs,
	}
}

func wantRun(t *testing.T, r record.Run, state record.RunState, outcome delivery.Outcome, cause string) {
	t.Helper()
	if r.State != state || r.Outcome != outcome || !strings.Contains(r.Cause, cause) || cause == "" && r.Cause != "" {
		t.Errorf("run is %s, %s, %q; want %s, %s, %q", r.State, r.Outcome, r.Cause, state, outcome, cause)
	}
}

func wantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// blocks is a step that tells when it has begun, and goes on until it is stopped.
func blocks(began chan<- struct{}) do {
	return func(ctx context.Context, _ step.Request) (step.Result, error) {
		close(began)
		<-ctx.Done()
		return step.Result{}, context.Cause(ctx)
	}
}

func fails(cause, hint string) do {
	return func(context.Context, step.Request) (step.Result, error) {
		return step.Result{Outcome: delivery.OutcomeFailed, Cause: cause, Hint: hint}, nil
	}
}

func TestRunInOrder(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["deploy"] = func(_ context.Context, r step.Request) (step.Result, error) {
		fmt.Fprint(r.Log, "one\ntwo")
		r.Say("halfway")
		r.Emit(event.Event{Kind: event.Deployment, Text: "begun"})
		keys := []string{}
		for k := range r.Given {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if r.Run != runID(1) || r.Service != "retail" || r.Environment != "prod" || r.By != "ana" || r.Attempt != 1 || string(r.Spec.With) != `{"port":1}` {
			t.Errorf("request: %+v", r)
		}
		if !slices.Equal(keys, []string{"build", "unit"}) || string(r.Given["build"]) != `{"by":"build"}` {
			t.Errorf("given: %v", r.Given)
		}
		for _, dir := range []string{r.Work, r.Artifacts, r.Repository} {
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || !filepath.IsAbs(dir) {
				t.Errorf("folder %s: %v", dir, err)
			}
		}
		return step.Succeed("r-1 serves", step.Deployed{Release: "r-0123456789ab"})
	}
	p := newPlan(1,
		step.Spec{Name: "unit"}, step.Spec{Name: "build", Kind: step.Build, Needs: []string{"unit"}},
		step.Spec{Name: "lint"},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"build"}, With: json.RawMessage(`{"port":1}`), Undo: step.Rollback})
	run := l.run(p)
	wantRun(t, run, record.Ended, delivery.Deployed, "")
	if run.Release != "r-0123456789ab" || run.PID != os.Getpid() || run.EndedAt.Before(run.StartedAt) {
		t.Errorf("run: %+v", run)
	}
	wantList(t, "records", l.outcomes(run.ID), []string{"unit succeeded", "build succeeded", "lint succeeded", "deploy succeeded"})
	wantList(t, "run events", l.said(event.RunStarted, event.RunFinished), []string{"run.started", "run.finished deployed"})
	wantList(t, "deploy's events", l.said(event.StepProgress, event.StepLog, event.Deployment),
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

func TestUntil(t *testing.T) {
	l := newLab(t, t.TempDir())
	wantRun(t, l.run(newPlan(1, step.Spec{Name: "unit"})), record.Ended, delivery.Succeeded, "")
}

func TestPlannedSkip(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1, step.Spec{Name: "train", Kind: step.Train, Why: "no data changed"}, step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"train"}})
	p.Steps[0].Action = step.Skip
	wantRun(t, l.run(p), record.Ended, delivery.Deployed, "")
	wantList(t, "ran", l.started(), []string{"deploy/1"})
	wantList(t, "records", l.outcomes(p.Run), []string{"train skipped", "deploy succeeded"})
}

func TestNothingToDo(t *testing.T) {
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

func TestFailureStopsTheRest(t *testing.T) {
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
	steps, err := l.Store.Steps(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2 tests failed", "unit failed", "not run: unit failed", "not run: unit failed"} {
		if got := steps[i].Result.Cause; got != want {
			t.Errorf("%s: cause %q, want %q", steps[i].Name, got, want)
		}
	}
}

func TestGraceLetsQuickStepsEnd(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Grace = time.Minute
	failed := make(chan struct{})
	l.Fault = func(point string) {
		if point == "recorded unit" {
			close(failed)
		}
	}
	l.does["unit"] = fails("no", "")
	l.does["lint"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		<-failed
		return fails("unused variable", "")(ctx, r)
	}
	run := l.run(newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "lint"}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "unit: no")
	wantList(t, "records", l.outcomes(run.ID), []string{"unit failed", "lint failed"})
}

func TestCheckRefuses(t *testing.T) {
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
	runs, err := l.Store.Runs(t.Context(), "", 0)
	if err != nil || len(runs) > 0 || len(l.started()) > 0 {
		t.Errorf("something was begun: %v, %v, %v", runs, l.started(), err)
	}
}

func TestOwnership(t *testing.T) {
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
	if dead, err := b.Unfinished(t.Context()); err != nil || len(dead) > 0 {
		t.Errorf("a living run counts as dead: %v, %v", dead, err)
	}
	close(finish)
	wantRun(t, <-ended, record.Ended, delivery.Succeeded, "")
	if left, err := filepath.Glob(filepath.Join(home, "locks", "*")); err != nil || len(left) > 0 {
		t.Errorf("locks left behind: %v, %v", left, err)
	}
}

func TestSuspendAndResume(t *testing.T) {
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
	dead, err := l.Unfinished(t.Context())
	if err != nil || len(dead) != 1 || dead[0].State != record.Running {
		t.Fatalf("unfinished: %v, %v", dead, err)
	}
	delete(l.does, "train")
	runs, err := l.ResumeAll(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatalf("resume: %v, %v", runs, err)
	}
	wantRun(t, runs[0], record.Ended, delivery.Deployed, "")
	wantList(t, "ran", l.started(), []string{"unit/1", "train/1", "train/1", "deploy/1"})
}
