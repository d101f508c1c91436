package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// leaveRun leaves run 1 unfinished in home, as a machine does that dies at its step.
func leaveRun(t *testing.T, home string) {
	t.Helper()
	l := newLab(t, home)
	ctx, die := context.WithCancelCause(t.Context())
	l.does["deploy"] = func(ctx context.Context, _ step.Request) (step.Result, error) {
		die(engine.ErrSuspend)
		<-ctx.Done()
		return step.Result{}, context.Cause(ctx)
	}
	if _, err := l.Run(ctx, newPlan(1, step.Spec{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback})); err == nil {
		t.Fatal("the run has ended, want it left")
	}
}

// TestReportDead: with it, a run behind one that another machine left unfinished ends
// and names it; the next one goes on once people have finished that.
func TestReportDead(t *testing.T) {
	home := newMachine(t, true)
	leaveRun(t, home)
	l := newLab(t, successor(t, home))
	l.ReportDead = true
	_, err := l.Run(t.Context(), newPlan(2, step.Spec{Name: "unit"}))
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), string(runID(1))) || !strings.Contains(fault.HintOf(err), "--resume "+string(runID(1))) {
		t.Errorf("error = %v (%s), want %s that names run 1 and how to finish it", err, fault.HintOf(err), fault.Conflict)
	}
	behind, err := l.Runs.Get(t.Context(), runID(2))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, behind, record.Ended, delivery.OutcomeFailed, "left unfinished")
	if ran := l.started(); len(ran) > 0 {
		t.Errorf("ran %v, want nothing", ran)
	}
	dead, err := l.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, dead, record.Ended, delivery.OutcomeDeployed, "")
	wantRun(t, l.run(newPlan(3, step.Spec{Name: "unit"})), record.Ended, delivery.OutcomeSucceeded, "")
}

// TestReportDead_OfThisMachine: what a process of this machine left is finished, as ever.
func TestReportDead_OfThisMachine(t *testing.T) {
	home := newMachine(t, true)
	leaveRun(t, home)
	l := newLab(t, home)
	l.ReportDead = true
	wantRun(t, l.run(newPlan(2, step.Spec{Name: "unit"})), record.Ended, delivery.OutcomeSucceeded, "")
}

// TestEngine_Owner: who works on a run is told on every machine, and whether it lives.
func TestEngine_Owner(t *testing.T) {
	home := newMachine(t, true)
	here, there := newLab(t, home), newLab(t, neighbor(t, home))
	entered, leave := make(chan struct{}), make(chan struct{})
	here.does["unit"] = func(context.Context, step.Request) (step.Result, error) {
		close(entered)
		<-leave
		return step.Succeed("", nil)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		here.run(newPlan(1, step.Spec{Name: "unit"}))
	}()
	<-entered
	for name, c := range map[string]struct {
		from *lab
		here bool
	}{"on its machine": {here, true}, "on another one": {there, false}} {
		o, err := c.from.Owner(t.Context(), runID(1))
		if err != nil || !o.Alive || o.Here != c.here || o.Holder != here.Name() || o.Since.IsZero() {
			t.Errorf("%s: owner = %+v (error = %v), want %s alive, here: %v", name, o, err, here.Name(), c.here)
		}
	}
	if err := os.RemoveAll(filepath.Join(home, sharedFolder, "beat")); err != nil {
		t.Fatal(err)
	}
	if o, err := there.Owner(t.Context(), runID(1)); err != nil || !o.IsDeadElsewhere() || o.Beat {
		t.Errorf("without a beat: owner = %+v (error = %v), want it dead", o, err)
	}
	if o, err := there.Owner(t.Context(), runID(9)); err != nil || o.Alive || o.Epoch != 0 {
		t.Errorf("owner of an unknown run = %+v, error = %v", o, err)
	}
	close(leave)
	<-ended
	if o, err := there.Owner(t.Context(), runID(1)); err != nil || o.Alive {
		t.Errorf("after the end: owner = %+v (error = %v), want none that lives", o, err)
	}
}

// TestHandOver: a run behind that of a machine which lives begins within a second after
// it has ended, since it looks every half second.
func TestHandOver(t *testing.T) {
	home := newMachine(t, true)
	here, there := newLab(t, home), newLab(t, neighbor(t, home))
	queued := make(chan struct{})
	var let, begun time.Time
	here.does["work"] = func(context.Context, step.Request) (step.Result, error) {
		<-queued
		let = time.Now()
		return step.Succeed("", nil)
	}
	there.does["work"] = func(context.Context, step.Request) (step.Result, error) {
		begun = time.Now()
		return step.Succeed("", nil)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		here.run(newPlan(1, step.Spec{Name: "work"}))
	}()
	porttest.Await(t, "the first run works", func() bool { return slices.Equal(here.started(), []string{"work/1"}) })
	go func() {
		time.Sleep(700 * time.Millisecond)
		close(queued)
	}()
	there.run(newPlan(2, step.Spec{Name: "work"}))
	<-ended
	took := begun.Sub(let)
	t.Logf("the next run began %s after the last step of the one before", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("hand-over took %s, want less than a second on an idle machine", took)
	}
}
