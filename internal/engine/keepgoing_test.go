package engine_test

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/step"
)

// failsAfter is a step that fails once others have ended.
func failsAfter(cause string, others ...<-chan struct{}) do {
	return func(context.Context, step.Request) (step.Result, error) {
		for _, o := range others {
			<-o
		}
		return step.Result{Outcome: delivery.OutcomeFailed, Cause: cause}, nil
	}
}

// succeedsAfter is a step that succeeds once another has ended, unless it is stopped.
func succeedsAfter(other <-chan struct{}) do {
	return func(ctx context.Context, _ step.Request) (step.Result, error) {
		select {
		case <-other:
			return step.Succeed("", nil)
		case <-ctx.Done():
			return step.Result{}, context.Cause(ctx)
		}
	}
}

// A run that keeps going finishes what does not need the failed steps, and tells of
// all of them.
func TestKeepGoing_IndependentSteps(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Parallel = 8
	recorded := map[string]chan struct{}{"recorded unit": make(chan struct{}), "recorded lint": make(chan struct{})}
	l.Failpoint = func(point string) {
		if c := recorded[point]; c != nil {
			close(c)
		}
	}
	l.does["unit"] = fails("2 tests failed", "read the report")
	l.does["lint"] = failsAfter("1 problem", recorded["recorded unit"])
	l.does["train"] = succeedsAfter(recorded["recorded lint"])
	p := newPlan(1,
		step.Spec{Name: "unit"}, step.Spec{Name: "lint"}, step.Spec{Name: "types"},
		step.Spec{Name: "train", Kind: step.Train}, step.Spec{Name: "evaluate", Needs: []string{"train"}},
		step.Spec{Name: "build", Kind: step.Build, Needs: []string{"unit", "lint", "types"}},
		step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"build", "evaluate"}, Undo: step.Rollback})
	p.Trigger.KeepGoing = true
	run := l.run(p)
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "2 tests failed; also failed: lint")
	wantList(t, "records", l.outcomes(run.ID), []string{
		"unit failed", "lint failed", "types succeeded", "train succeeded", "evaluate succeeded", "build skipped", "deploy skipped",
	})
}

// Without, the first failure stops the others.
func TestKeepGoing_IsNotTheDefault(t *testing.T) {
	l := newLab(t, t.TempDir())
	l.Parallel = 8
	began := make(chan struct{})
	l.does["unit"] = failsAfter("2 tests failed", began)
	l.does["train"] = blocks(began)
	run := l.run(newPlan(1, step.Spec{Name: "unit"}, step.Spec{Name: "train", Kind: step.Train}))
	wantRun(t, run, record.Ended, delivery.OutcomeFailed, "2 tests failed")
	wantList(t, "records", l.outcomes(run.ID), []string{"unit failed", "train cancelled"})
}

// Nothing is deployed after a failure, and a failure after the deployment has begun
// stops the run as ever.
func TestKeepGoing_NeverDeploysAfterFailure(t *testing.T) {
	t.Run("failed before", func(t *testing.T) {
		l := newLab(t, t.TempDir())
		l.Parallel = 8
		l.does["scan"] = fails("a finding", "")
		p := newPlan(1, step.Spec{Name: "scan"},
			step.Spec{Name: "push", Kind: step.Push}, step.Spec{Name: "slow", Needs: []string{"push"}},
			step.Spec{Name: "deploy", Kind: step.Deploy, Needs: []string{"slow"}, Undo: step.Rollback},
			step.Spec{Name: "verify", Kind: step.Verify, Needs: []string{"deploy"}})
		failed := make(chan struct{})
		l.Failpoint = func(point string) {
			if point == "recorded scan" {
				close(failed)
			}
		}
		// The failure counts once the engine has taken it: a moment after it is recorded.
		l.does["slow"] = succeedsAfter(failed)
		l.does["push"] = succeedsAfter(failed)
		p.Trigger.KeepGoing = true
		run := l.run(p)
		wantRun(t, run, record.Ended, delivery.OutcomeFailed, "a finding")
		wantList(t, "records", l.outcomes(run.ID), []string{"scan failed", "push succeeded", "slow succeeded", "deploy skipped", "verify skipped"})
	})
	t.Run("failed meanwhile", func(t *testing.T) {
		l := newLab(t, t.TempDir())
		l.Parallel = 8
		began := make(chan struct{})
		l.does["deploy"] = blocks(began)
		l.does["scan"] = failsAfter("a finding", began)
		p := newPlan(1, step.Spec{Name: "scan"}, step.Spec{Name: "deploy", Kind: step.Deploy, Undo: step.Rollback})
		p.Trigger.KeepGoing = true
		run := l.run(p)
		wantRun(t, run, record.Ended, delivery.OutcomeRolledBack, "a finding")
		wantList(t, "records", l.outcomes(run.ID), []string{"scan failed", "deploy cancelled", "rollback.deploy succeeded"})
	})
}
