package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

func deployPlan(n int) []step.Spec {
	return []step.Spec{
		{Name: "unit"},
		{Name: "deploy", Kind: step.Deploy, Needs: []string{"unit"}, Undo: step.Rollback, Params: []byte(`{"target":"local"}`)},
		{Name: "verify", Kind: step.Verify, Needs: []string{"deploy"}},
	}[:n]
}

func answers(o delivery.Outcome, cause string) do {
	return func(context.Context, step.Request) (step.Result, error) {
		return step.Result{Outcome: o, Cause: cause, Summary: cause, Output: []byte(`{"release":"r-0123456789ab"}`)}, nil
	}
}

func broken(err error) do {
	return func(context.Context, step.Request) (step.Result, error) { return step.Result{}, err }
}

func TestUndo(t *testing.T) {
	denied := fault.New(fault.Denied, "no access").Hint("log in")
	cases := []struct {
		name    string
		does    map[string]do
		outcome delivery.Outcome
		cause   string
		undone  bool
	}{
		{"all is well", nil, delivery.OutcomeDeployed, "", false},
		{"nothing had begun", map[string]do{"unit": fails("no", "")}, delivery.OutcomeFailed, "unit: no", false},
		{"deploy says no", map[string]do{"deploy": fails("crashed", "")}, delivery.OutcomeRolledBack, "deploy: crashed", true},
		{"deploy breaks", map[string]do{"deploy": broken(denied)}, delivery.OutcomeRolledBack, "deploy: no access", true},
		{"verify says no", map[string]do{"verify": fails("503", "")}, delivery.OutcomeRolledBack, "verify: 503", true},
		{"deploy changed nothing", map[string]do{
			"deploy": fails("image is gone", ""), "rollback.deploy": answers(delivery.OutcomeSkipped, ""),
		}, delivery.OutcomeFailed, "deploy: image is gone", true},
		{"the rollback says no", map[string]do{
			"verify": fails("503", ""), "rollback.deploy": fails("still 503", ""),
		}, delivery.OutcomeRollbackFailed, "verify: 503; the rollback failed: still 503", true},
		{"the rollback breaks", map[string]do{
			"verify": fails("503", ""), "rollback.deploy": broken(denied),
		}, delivery.OutcomeRollbackFailed, "verify: 503; the rollback failed: no access", true},
		{"the rollback panics", map[string]do{
			"verify":          fails("503", ""),
			"rollback.deploy": func(context.Context, step.Request) (step.Result, error) { panic("oh") },
		}, delivery.OutcomeRollbackFailed, "the rollback failed: step rollback.deploy panicked: panic: oh", true},
		{"deploy had nothing to do", map[string]do{
			"deploy": answers(delivery.OutcomeSkipped, "it serves"), "verify": fails("503", ""),
		}, delivery.OutcomeFailed, "verify: 503", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			for name, f := range c.does {
				l.does[name] = f
			}
			run := l.run(newPlan(1, deployPlan(3)...))
			wantRun(t, run, record.Ended, c.outcome, c.cause)
			if got := slices.Contains(l.started(), "rollback.deploy/1"); got != c.undone {
				t.Errorf("undone: %v, want %v", got, c.undone)
			}
		})
	}
}

func TestUndo_Request(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["deploy"] = answers(delivery.OutcomeSucceeded, "r-1 serves")
	l.does["verify"] = fails("503", "")
	l.does["rollback.deploy"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		if string(r.Spec.Params) != `{"target":"local"}` || r.Spec.Kind != step.Rollback || r.Cause != "verify: 503" || r.Cancelled {
			t.Errorf("request: %+v", r)
		}
		if string(r.Inputs["deploy"]) != `{"release":"r-0123456789ab"}` || string(r.Inputs["unit"]) != `{"by":"unit"}` {
			t.Errorf("given: %s", r.Inputs)
		}
		if ctx.Err() != nil {
			t.Errorf("its context has ended: %v", ctx.Err())
		}
		return step.Succeed("back", nil)
	}
	run := l.run(newPlan(1, deployPlan(3)...))
	if run.Release != "r-0123456789ab" {
		t.Errorf("release = %q", run.Release)
	}
	wantList(t, "records", l.outcomes(run.ID), []string{"unit succeeded", "deploy succeeded", "verify failed", "rollback.deploy succeeded"})
}

// TestUndo_Order: the last that began is taken back first, and one that fails
// keeps none of the others from being taken back.
func TestUndo_Order(t *testing.T) {
	l := newLab(t, t.TempDir())
	var specs []step.Spec
	for i := range 4 {
		s := step.Spec{Name: fmt.Sprintf("d%d", i), Kind: step.Deploy, Undo: step.Rollback}
		if i > 0 {
			s.Needs = []string{specs[i-1].Name}
		}
		specs = append(specs, s)
	}
	l.does["d2"] = fails("no", "")
	l.does["rollback.d1"] = fails("no!", "")
	run := l.run(newPlan(1, specs...))
	wantRun(t, run, record.Ended, delivery.OutcomeRollbackFailed, "d2: no; the rollback failed: no!")
	wantList(t, "ran", l.started(), []string{"d0/1", "d1/1", "d2/1", "rollback.d2/1", "rollback.d1/1", "rollback.d0/1"})
}

func TestUndo_Retries(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.does["verify"] = fails("503", "")
	l.does["rollback.deploy"] = func(_ context.Context, r step.Request) (step.Result, error) {
		if r.Attempt < 4 {
			return step.Result{}, errors.New("connection reset")
		}
		return step.Succeed("back", nil)
	}
	wantRun(t, l.run(newPlan(1, deployPlan(3)...)), record.Ended, delivery.OutcomeRolledBack, "verify: 503")
}

func TestUndo_TimesOut(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.UndoTimeout = 20 * time.Millisecond
	l.does["verify"] = fails("503", "")
	began := make(chan struct{})
	l.does["rollback.deploy"] = blocks(began)
	run := l.run(newPlan(1, deployPlan(3)...))
	wantRun(t, run, record.Ended, delivery.OutcomeRollbackFailed, "the rollback timed out")
	if run.Hint == "" {
		t.Error("there is no hint")
	}
}

func TestCancel_Undoes(t *testing.T) {
	ways := map[string]func(t *testing.T, l, other *lab, stop context.CancelFunc){
		"a request in the records": func(t *testing.T, _, other *lab, _ context.CancelFunc) {
			run, err := other.Cancel(t.Context(), runID(1), delivery.Actor{Name: "ben"})
			if err != nil {
				t.Errorf("cancel: %v", err)
			}
			wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by ben")
		},
		"an interrupt": func(_ *testing.T, _, _ *lab, stop context.CancelFunc) { stop() },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			l, other := newLab(t, home), newLab(t, home)
			began := make(chan struct{})
			l.does["deploy"] = blocks(began)
			l.does["rollback.deploy"] = func(ctx context.Context, r step.Request) (step.Result, error) {
				if !r.Cancelled || ctx.Err() != nil {
					t.Errorf("cancelled %v, context %v", r.Cancelled, ctx.Err())
				}
				return step.Succeed("back", nil)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			asked := make(chan struct{})
			go func() { <-began; way(t, l, other, stop); close(asked) }()
			run, err := l.Run(ctx, newPlan(1, deployPlan(3)...))
			<-asked
			if err != nil {
				t.Fatal(err)
			}
			wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by ")
			wantList(t, "records", l.outcomes(run.ID), []string{"unit succeeded", "deploy cancelled", "verify skipped", "rollback.deploy succeeded"})
		})
	}
}

func TestCancel_TooLate(t *testing.T) {
	l := newLab(t, t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	l.does["deploy"] = func(context.Context, step.Request) (step.Result, error) {
		stop()
		return step.Succeed("r-1 serves", nil)
	}
	run, err := l.Run(ctx, newPlan(1, deployPlan(2)...))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	again, err := l.Cancel(t.Context(), run.ID, delivery.Actor{Name: "ben"})
	if err != nil || again.Outcome != delivery.OutcomeDeployed {
		t.Errorf("cancel of an ended run: %+v, %v", again, err)
	}
}

// TestCancel_RunOfDeadProcess: nobody runs it any more, and deploy may be half done.
func TestCancel_RunOfDeadProcess(t *testing.T) {
	home := t.TempDir()
	l := newLab(t, home)
	suspendIn(t, l, "deploy", newPlan(1, deployPlan(3)...))
	other := newLab(t, home)
	run, err := other.Cancel(t.Context(), runID(1), delivery.Actor{Name: "ben"})
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by ben")
	wantList(t, "ran", other.started(), []string{"rollback.deploy/1"})
	wantList(t, "records", other.outcomes(run.ID), []string{"unit succeeded", "deploy cancelled", "verify skipped", "rollback.deploy succeeded"})
}

func TestCancel_QueuedRun(t *testing.T) {
	home := t.TempDir()
	first, second := newLab(t, home), newLab(t, home)
	began := make(chan struct{})
	first.does["unit"] = blocks(began)
	ctx, stop := context.WithCancel(t.Context())
	firstEnded := make(chan struct{})
	go func() { first.Run(ctx, newPlan(1, deployPlan(1)...)); close(firstEnded) }()
	<-began
	queued := make(chan struct{})
	second.Failpoint = func(point string) {
		if point == "queued" {
			close(queued)
		}
	}
	secondEnded := make(chan record.Run)
	go func() { r, _ := second.Run(context.Background(), newPlan(2, deployPlan(1)...)); secondEnded <- r }()
	<-queued
	run, err := newLab(t, home).Cancel(t.Context(), runID(2), delivery.Actor{Name: "ben"})
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by ben")
	wantRun(t, <-secondEnded, record.Ended, delivery.OutcomeCancelled, "stopped by ben")
	if len(second.started()) > 0 {
		t.Errorf("it ran %v", second.started())
	}
	stop()
	<-firstEnded
}

// suspendIn runs the plan until the named step is at work, and leaves it there as
// kill -9 would.
func suspendIn(t *testing.T, l *lab, name string, p planOf) {
	t.Helper()
	began := make(chan struct{})
	l.does[name] = blocks(began)
	ctx, stop := context.WithCancelCause(t.Context())
	go func() { <-began; stop(errSuspend) }()
	if _, err := l.Run(ctx, p); !errors.Is(err, errSuspend) {
		t.Fatalf("suspended in %s: %v", name, err)
	}
	delete(l.does, name)
}

// TestUndo_InfrastructureFailure: what a place did says nothing about the release.
func TestUndo_InfrastructureFailure(t *testing.T) {
	away := fault.New(fault.Denied, "expired").Infrastructure()
	for name, c := range map[string]struct {
		does      do
		blameless bool
	}{
		"an error of the place":      {broken(fmt.Errorf("deploy: %w", away)), true},
		"an error without a verdict": {broken(fault.New(fault.Exhausted, "record the deployment")), true},
		"an error with a verdict":    {broken(fault.New(fault.Failed, "it can't start")), false},
		"a result of the place":      {func(context.Context, step.Request) (step.Result, error) { return step.FailWith(away), nil }, true},
		"a bug in Slipway":           {func(context.Context, step.Request) (step.Result, error) { panic("index out of range") }, true},
		"a step that hangs": {func(ctx context.Context, _ step.Request) (step.Result, error) {
			<-ctx.Done()
			return step.Result{}, context.Cause(ctx)
		}, true},
		"the release": {fails("crashed", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, t.TempDir())
			var asked []bool
			l.does["deploy"] = c.does
			l.does["rollback.deploy"] = func(ctx context.Context, r step.Request) (step.Result, error) {
				asked = append(asked, r.InfrastructureFailure)
				return answers(delivery.OutcomeSucceeded, "back")(ctx, r)
			}
			specs := deployPlan(3)
			for i := range specs {
				if specs[i].Name == "deploy" && name == "a step that hangs" {
					specs[i].Timeout = delivery.Duration(20 * time.Millisecond)
				}
			}
			l.run(newPlan(1, specs...))
			if !slices.Equal(asked, []bool{c.blameless}) {
				t.Errorf("blameless: %v, want %v", asked, c.blameless)
			}
		})
	}
}
