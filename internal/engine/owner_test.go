package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// neighbor returns the home of another machine that shares the log, while the first
// one works.
func neighbor(t *testing.T, home string) string {
	t.Helper()
	other := t.TempDir()
	for _, name := range []string{sharedFolder, "effects"} {
		if err := os.Symlink(filepath.Join(home, name), filepath.Join(other, name)); err != nil {
			t.Fatal(err)
		}
	}
	return other
}

// TestOwner_PausedPastItsTime: an owner that was stopped for too long is replaced, and
// changes nothing when it wakes.
func TestOwner_PausedPastItsTime(t *testing.T) {
	home := newMachine(t, true)
	cmd, out := child(t, childOrder{Home: home, Plan: crashPlan(1), Hold: "deploy", OwnerTimeout: 3 * time.Second})
	porttest.Await(t, "the process deploys", func() bool { return slices.Contains(effects(t, home), "deploy:end") })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l := crashLab(t, neighbor(t, home))
	l.OwnerTimeout = 3 * time.Second
	if _, err := l.Resume(t.Context(), runID(1)); !fault.Is(err, fault.Conflict) {
		t.Errorf("resume while the owner's time is not over: error = %v, want %s", err, fault.Conflict)
	}
	porttest.Await(t, "the owner is replaced", func() bool {
		_, err := l.resumeAll(t.Context())
		if err != nil && !fault.Is(err, fault.Conflict) {
			t.Fatal(err)
		}
		return err == nil
	})
	wantEnd(t, l)
	before, steps := effects(t, home), l.outcomes(runID(1))
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "taken over") {
		t.Errorf("the old owner ended with %v, want that it was taken over:\n%s", err, out)
	}
	if after := effects(t, home); !slices.Equal(after, before) {
		t.Errorf("effects after the old owner woke: %v, want none beyond %v", after, before)
	}
	if now := l.outcomes(runID(1)); !slices.Equal(now, steps) {
		t.Errorf("steps after the old owner woke: %v, want %v", now, steps)
	}
	checkEffects(t, before)
}

// TestOwner_StoreAway: an owner whose beats do not arrive leaves its run before another
// machine may take it, and undoes nothing.
func TestOwner_StoreAway(t *testing.T) {
	home := newMachine(t, true)
	l := newLab(t, home)
	l.OwnerTimeout = 3 * time.Second
	away := new(atomic.Bool)
	l.Owners = silent{l.Owners, away}
	l.does["deploy"] = func(ctx context.Context, _ step.Request) (step.Result, error) {
		away.Store(true)
		<-ctx.Done()
		return step.Result{}, context.Cause(ctx)
	}
	begun := time.Now()
	_, err := l.Run(t.Context(), newPlan(1, step.Spec{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback}))
	if !errors.Is(err, engine.ErrSuspend) {
		t.Errorf("error = %v, want ErrSuspend", err)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("the owner stopped after %s, want soon after its 3s", took)
	}
	if ran := l.started(); !slices.Equal(ran, []string{"deploy/1"}) {
		t.Errorf("ran %v, want the deployment alone: nothing is undone", ran)
	}
	other := newLab(t, successor(t, home))
	other.Owners = nil // look only
	if run, err := other.Runs.Get(t.Context(), runID(1)); err != nil || run.State != record.Running {
		t.Errorf("state = %s (error = %v), want %s, for whoever resumes it", run.State, err, record.Running)
	}
}

// silent are owners whose beats do not arrive while the store is away.
type silent struct {
	record.Owners
	away *atomic.Bool
}

func (s silent) Beat(ctx context.Context, run delivery.RunID, epoch int64) error {
	if s.away.Load() {
		return fault.New(fault.Unavailable, "no route to the store")
	}
	return s.Owners.Beat(ctx, run, epoch)
}

// TestOwner_TwoMachines: runs of one environment wait for each other across machines,
// in their order; those of two run at once.
func TestOwner_TwoMachines(t *testing.T) {
	home := newMachine(t, true)
	here, there := newLab(t, home), newLab(t, neighbor(t, home))
	entered, leave := make(chan struct{}), make(chan struct{})
	here.does["work"] = func(context.Context, step.Request) (step.Result, error) {
		close(entered)
		<-leave
		return step.Succeed("", nil)
	}
	ended := make(chan record.Run, 2)
	go func() {
		r, err := here.Run(context.WithoutCancel(t.Context()), newPlan(1, step.Spec{Name: "work"}))
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	<-entered
	other := newPlan(3, step.Spec{Name: "work"})
	other.Environment = "dev"
	wantRun(t, there.run(other), record.Ended, delivery.OutcomeSucceeded, "") // while the first one works
	go func() {
		r, err := there.Run(context.WithoutCancel(t.Context()), newPlan(2, step.Spec{Name: "work"}))
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	porttest.Await(t, "the second run is queued", func() bool {
		r, err := here.Runs.Get(t.Context(), runID(2))
		return err == nil && r.State == record.Queued
	})
	if ran := there.started(); !slices.Equal(ran, []string{"work/1"}) {
		t.Errorf("the other machine ran %v, want the run of the other environment alone", ran)
	}
	close(leave)
	for _, want := range []delivery.RunID{runID(1), runID(2)} {
		if r := <-ended; r.ID != want || r.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("ended: %s %s, want %s first in its order", r.ID, r.Outcome, want)
		}
	}
}

// TestOwner_WaitingRunContinuesElsewhere: a run that waits for a person goes on on the
// machine where it is resumed, without what is done.
func TestOwner_WaitingRunContinuesElsewhere(t *testing.T) {
	home := newMachine(t, true)
	here := newLab(t, home)
	here.does["approve"] = func(context.Context, step.Request) (step.Result, error) {
		return step.Result{Outcome: delivery.OutcomeWaiting, Cause: "for ben"}, nil
	}
	specs := []step.Spec{{Name: "unit"}, {Name: "approve", Kind: step.Approve, Needs: []string{"unit"}}, {Name: "deploy", Kind: step.Deploy, Needs: []string{"approve"}, Undo: step.Rollback}}
	wantRun(t, here.run(newPlan(1, specs...)), record.Waiting, delivery.OutcomeWaiting, "for ben")
	there := newLab(t, neighbor(t, home)) // at once: the first machine let the run go
	run, err := there.Resume(t.Context(), runID(1))
	if err != nil {
		t.Fatal(err)
	}
	wantRun(t, run, record.Ended, delivery.OutcomeDeployed, "")
	if ran := there.started(); !slices.Equal(ran, []string{"approve/2", "deploy/1"}) {
		t.Errorf("ran %v, want approve and deploy alone", ran)
	}
}
