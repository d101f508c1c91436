package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

type planOf = plan.Plan

var errSuspend = engine.ErrSuspend

func approvalPlan(n int) plan.Plan {
	return newPlan(n,
		step.Spec{Name: "build", Kind: step.Build},
		step.Spec{Name: "approve", Kind: step.Approve, Needs: []string{"build"}},
		step.Spec{Name: "train", Kind: step.Train},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"approve", "train"}, Undo: step.Rollback})
}

func TestWaiting(t *testing.T) {
	home := t.TempDir()
	l := newLab(t, home)
	asked := make(chan struct{})
	l.does["approve"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		defer close(asked)
		return answers(delivery.OutcomeWaiting, "for a word on prod")(ctx, r)
	}
	l.does["train"] = func(context.Context, step.Request) (step.Result, error) {
		<-asked // the other branch goes on to its end
		return step.Succeed("trained", map[string]int{"n": 1})
	}
	run := l.run(approvalPlan(1))
	wantRun(t, run, record.Waiting, delivery.OutcomeWaiting, "for a word on prod")
	wantList(t, "records", l.outcomes(run.ID), []string{"build succeeded", "approve waiting", "train succeeded"})
	wantRun(t, l.run(newPlan(2, step.Spec{Name: "unit"})), record.Ended, delivery.OutcomeSucceeded, "") // it does not block the queue

	other := newLab(t, home)
	other.does["approve"] = answers(delivery.OutcomeWaiting, "for one more")
	run, err := other.Resume(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Waiting, delivery.OutcomeWaiting, "for one more")
	other.does["deploy"] = func(ctx context.Context, r step.Request) (step.Result, error) {
		if len(r.Inputs) != 3 || string(r.Inputs["train"]) != `{"n":1}` {
			t.Errorf("given: %s", r.Inputs)
		}
		return step.Succeed("", nil)
	}
	delete(other.does, "approve")
	if run, err = other.Resume(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	wantList(t, "the next turns ran", other.started(), []string{"approve/2", "approve/3", "deploy/1"})
	if run.Turn != 3 {
		t.Errorf("turn %d", run.Turn)
	}
}

// TestApproval_Fails: a branch that fails while another waits decides the run, and
// what an earlier turn began is taken back.
func TestApproval_Fails(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1,
		step.Spec{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback},
		step.Spec{Name: "approve", Kind: step.Approve, Needs: []string{"deploy"}},
		step.Spec{Name: "verify", Kind: step.Verify, Needs: []string{"approve"}})
	l.does["approve"] = answers(delivery.OutcomeWaiting, "for ben")
	wantRun(t, l.run(p), record.Waiting, delivery.OutcomeWaiting, "for ben")
	l.does["approve"] = fails("ben said no", "")
	run, err := l.Resume(t.Context(), p.Run)
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeRolledBack, "approve: ben said no")
	wantList(t, "ran", l.started(), []string{"deploy/1", "approve/1", "approve/2", "rollback.deploy/1"})
}

func TestCancel_WhileWaiting(t *testing.T) {
	for _, deployed := range []bool{false, true} {
		l := newLab(t, t.TempDir())
		specs := []step.Spec{{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback}, {Name: "approve", Kind: step.Approve, Needs: []string{"deploy"}}}
		want := []string{"deploy/1", "approve/1", "rollback.deploy/1"}
		if !deployed {
			specs = []step.Spec{{Name: "approve", Kind: step.Approve}, {Name: "deploy", Kind: step.Deploy, Undo: step.Rollback, Needs: []string{"approve"}}}
			want = []string{"approve/1"}
		}
		l.does["approve"] = answers(delivery.OutcomeWaiting, "for ben")
		wantRun(t, l.run(newPlan(1, specs...)), record.Waiting, delivery.OutcomeWaiting, "for ben")
		run, err := l.Cancel(t.Context(), runID(1), delivery.Actor{Name: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by ana")
		wantList(t, "ran", l.started(), want)
	}
}

func TestQueue_FIFO(t *testing.T) {
	home := t.TempDir()
	const n = 6
	var order []string
	hold := make(chan struct{})
	ended := make(chan error, n)
	for i := range n {
		l := newLab(t, home)
		l.does["unit"] = func(_ context.Context, r step.Request) (step.Result, error) {
			if i == 0 {
				<-hold
			}
			order = append(order, string(r.Run)) // the queue keeps two from being here at once
			return step.Succeed("", nil)
		}
		queued := make(chan struct{})
		l.Failpoint = func(point string) {
			if point == "queued" {
				close(queued)
			}
		}
		go func() {
			run, err := l.Run(context.Background(), newPlan(i, step.Spec{Name: "unit"}))
			if err == nil && run.Outcome != delivery.OutcomeSucceeded {
				err = errors.New(run.Cause)
			}
			ended <- err
		}()
		<-queued
	}
	close(hold)
	for range n {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	var want []string
	for i := range n {
		want = append(want, string(runID(i)))
	}
	wantList(t, "order", order, want)
}

func TestQueue_ReportsRunAhead(t *testing.T) {
	home := t.TempDir()
	first, second := newLab(t, home), newLab(t, home)
	first.PID, first.Host = 4711, "buildbox"
	began, finish, told := make(chan struct{}), make(chan struct{}), make(chan string, 10)
	first.does["unit"] = func(context.Context, step.Request) (step.Result, error) {
		close(began)
		<-finish
		return step.Succeed("", nil)
	}
	second.Sink = event.SinkFunc(func(e event.Event) {
		if e.Kind == event.RunQueued {
			told <- e.Text
		}
	})
	go first.Run(context.Background(), newPlan(1, step.Spec{Name: "unit"}))
	<-began
	ended := make(chan struct{})
	go func() { second.Run(context.Background(), newPlan(2, step.Spec{Name: "unit"})); close(ended) }()
	text := <-told
	for _, want := range []string{string(runID(1)), "by ana", "4711", "buildbox", "running", "20"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not tell %q", text, want)
		}
	}
	close(finish)
	<-ended
	if len(told) > 0 {
		t.Errorf("told again: %q", <-told)
	}
}

// TestQueue_FinishesAbandonedRun: the run ahead is dead. The one that waits finishes it first.
func TestQueue_FinishesAbandonedRun(t *testing.T) {
	home := t.TempDir()
	dead := newLab(t, home)
	suspendIn(t, dead, "deploy", newPlan(1, deployPlan(3)...))
	l := newLab(t, home)
	wantRun(t, l.run(newPlan(2, step.Spec{Name: "build", Kind: step.Build})), record.Ended, delivery.OutcomeSucceeded, "")
	wantList(t, "ran", l.started(), []string{"deploy/1", "verify/1", "build/1"})
	first, err := l.Runs.Get(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, first, record.Ended, delivery.OutcomeDeployed, "")
}

// TestQueue_FinishesRunThatNeverBegan: it was queued by a process that died at once.
func TestQueue_FinishesRunThatNeverBegan(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1, step.Spec{Name: "unit"})
	_, err := l.Runs.Enqueue(t.Context(), record.Run{Plan: p, RunSummary: record.RunSummary{ID: p.Run, Environment: p.Environment, By: delivery.Actor{Name: "ana"}}})
	if err != nil {
		t.Fatal(err)
	}
	skip := newPlan(2)
	skip.Skip = "nothing"
	if _, err = l.Runs.Enqueue(t.Context(), record.Run{Plan: skip, RunSummary: record.RunSummary{ID: skip.Run, Environment: skip.Environment}}); err != nil {
		t.Fatal(err)
	}
	l.run(newPlan(3, step.Spec{Name: "build", Kind: step.Build}))
	wantList(t, "ran", l.started(), []string{"unit/1", "build/1"})
	if left, err := l.Runs.Unfinished(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("unfinished: %v, %v", left, err)
	}
}

// TestQueue_StopWhileFinishingAnotherRun: stopping our run must not undo somebody else's.
func TestQueue_StopWhileFinishingAnotherRun(t *testing.T) {
	home := t.TempDir()
	dead := newLab(t, home)
	suspendIn(t, dead, "deploy", newPlan(1, deployPlan(3)...))
	l := newLab(t, home)
	began := make(chan struct{})
	l.does["verify"] = blocks(began)
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-began; stop() }()
	run, err := l.Run(ctx, newPlan(2, step.Spec{Name: "build", Kind: step.Build}))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeCancelled, "stopped by an interrupt")
	theirs, err := newLab(t, home).Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, theirs, record.Ended, delivery.OutcomeDeployed, "")
}

// TestResume_PassesAllInputs: in a replay, the ending of a step that is needed only
// indirectly may come last.
func TestResume_PassesAllInputs(t *testing.T) {
	home := t.TempDir()
	p := newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "build", Kind: step.Build, Needs: []string{"unit"}},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"build"}})
	suspendIn(t, newLab(t, home), "deploy", p)
	l := newLab(t, home)
	built, waits, begun := make(chan struct{}), make(chan struct{}), make(chan struct{})
	l.Failpoint = func(point string) {
		switch point {
		case "recorded build":
			close(built)
		case "recorded unit":
			<-built
			select {
			case <-waits:
			case <-begun:
			}
		case "deploy waits for unit":
			close(waits)
		case "begun deploy":
			close(begun) // too early, if unit is not recorded yet: it then lacks an input
		}
	}
	l.does["deploy"] = func(_ context.Context, r step.Request) (step.Result, error) {
		if len(r.Inputs) != 2 {
			t.Errorf("given: %s", r.Inputs)
		}
		return step.Succeed("", nil)
	}
	if run, err := l.Resume(t.Context(), p.Run); err != nil || run.Outcome != delivery.OutcomeDeployed {
		t.Errorf("%+v, %v", run, err)
	}
}

// TestResume_ManyTimes: DBOS gives up after 100 by default.
func TestResume_ManyTimes(t *testing.T) {
	l := newLab(t, t.TempDir())
	p := newPlan(1, deployPlan(3)...)
	suspendIn(t, l, "deploy", p)
	begin := time.Now()
	for i := range 130 {
		began := make(chan struct{})
		l.does["deploy"] = blocks(began)
		ctx, stop := context.WithCancelCause(t.Context())
		go func() { <-began; stop(errSuspend) }()
		if _, err := l.Resume(ctx, p.Run); !errors.Is(err, errSuspend) {
			t.Fatalf("recovery %d: %v", i, err)
		}
	}
	t.Logf("130 recoveries in %s", time.Since(begin))
	delete(l.does, "deploy")
	run, err := l.Resume(t.Context(), p.Run)
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	if n := strings.Count(strings.Join(l.started(), " "), "unit/"); n != 1 {
		t.Errorf("unit ran %d times", n)
	}
}
