package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objectfolder"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
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
	return newLabWith(t, home, openStore(t, home))
}

func newLabWith(t *testing.T, home string, store *sqlite.Store) *lab {
	t.Helper()
	l := &lab{t: t, does: map[string]do{}}
	l.Engine = &engine.Engine{
		Runs: store.Runs(), Owners: store.Owners(), Machine: home, Cache: store.Cache(), Home: home, Repository: home, PID: os.Getpid(), Host: "lab",
		Sink: event.SinkFunc(func(e event.Event) {
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

// openStore opens the records in home, or the view of the log that home shares with
// other machines.
func openStore(t *testing.T, home string) *sqlite.Store {
	t.Helper()
	shared := filepath.Join(home, sharedFolder)
	var store *sqlite.Store
	_, err := os.Stat(shared)
	if errors.Is(err, os.ErrNotExist) {
		store, err = sqlite.Open(t.Context(), filepath.Join(home, "slipway.db"), "retail", nil)
	} else if err == nil {
		return openView(t, home, objectfolder.Store{Dir: shared})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// openView opens home's view of the log in an object store.
func openView(t *testing.T, home string, objects port.ObjectStore) *sqlite.Store {
	t.Helper()
	log, err := statelog.Open(t.Context(), objects, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.OpenView(t.Context(), home, "retail", nil, log, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// sharedFolder is the folder of a home that holds the log which machines share.
const sharedFolder = "shared"

// newMachine returns the home of a machine, which shares its log if it is to.
func newMachine(t *testing.T, shares bool) string {
	t.Helper()
	home := t.TempDir()
	if shares {
		if err := os.Mkdir(filepath.Join(home, sharedFolder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// successor returns the home of who comes after the death of a process: another machine
// with an empty disk, where the log is shared. Time has passed since the last beat.
func successor(t *testing.T, home string) string {
	t.Helper()
	shared, err := filepath.EvalSymlinks(filepath.Join(home, sharedFolder))
	if errors.Is(err, os.ErrNotExist) {
		return home
	}
	if err != nil {
		t.Fatal(err)
	}
	other := neighbor(t, filepath.Dir(shared))
	if err := os.RemoveAll(filepath.Join(shared, "beat")); err != nil {
		t.Fatal(err)
	}
	return other
}

// resumeAll resumes every unfinished run, oldest first, as `slipway run --resume`
// does.
func (l *lab) resumeAll(ctx context.Context) (ended []record.Run, err error) {
	runs, err := l.Runs.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		run, err := l.Resume(ctx, r.ID)
		if err != nil {
			return ended, err
		}
		ended = append(ended, run)
	}
	return ended, nil
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
	steps, err := l.Runs.ListSteps(l.t.Context(), id)
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
		specs[i].Action = step.ActionRun
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
