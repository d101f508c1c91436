package rollback_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/rollback"
)

// withHistory makes the target keep the previous release, and a history.
func (s *fixture) withHistory() (deploy.Step, rollback.Step) {
	s.Target.KeepsPrevious = true
	targets := port.Targets{"local": &fake.TargetWithHistory{Target: s.Target}}
	d, b := s.deploy(), s.rollback()
	d.Targets, b.Targets = targets, targets
	return d, b
}

// changes are the calls that change something at the target.
func (s *fixture) changes() []string {
	return slices.DeleteFunc(slices.Clone(s.Target.Calls), func(c string) bool { return strings.HasPrefix(c, "Observe") })
}

// TestUndo_Finalizes: the way back lets go of what was kept, and the history beside
// what serves says how it ended.
func TestUndo_Finalizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		forth, back := s.withHistory()
		if res, err := forth.Run(t.Context(), s.promotion()); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		if _, all := s.Target.Running(env); len(all) != 2 {
			t.Fatalf("running: %v, want the release and the one before", all)
		}
		s.Target.Calls = nil
		if res, err := back.Run(t.Context(), s.undoRequest(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
		calls := s.changes()
		finalized, written := slices.Index(calls, "Finalize "+string(s.oldRelease.ID)), slices.Index(calls, "SaveHistory "+string(s.newRelease.ID)+" rolled_back")
		promoted := slices.Index(calls, "Promote "+string(s.oldRelease.ID))
		if written < 0 {
			t.Errorf("calls = %q, want the rollback written to the history", calls)
		}
		if promoted < 0 || finalized < 0 || promoted > finalized {
			t.Errorf("calls = %q, want the old release promoted, then finalized", calls)
		}
	})
}

// TestForward_Finalizes: a rollback by hand saves the history before and after, and finalizes
// last, which admits the next run.
func TestForward_Finalizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		forth, back := s.withHistory()
		res, err := forth.Run(t.Context(), s.promotion())
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		accept(t, s, res)
		o := port.DeployRequest{Service: "api", Environment: env, ID: s.newRelease.ID}
		if err := s.Target.Finalize(t.Context(), o, nil); err != nil {
			t.Fatal(err)
		}
		s.Target.Calls = nil
		r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
		r.Run, r.Spec.Kind, r.Spec.Name = "20260103-000000-cccc", step.Rollback, "rollback"
		if res, err := back.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
		want := []string{
			"SaveHistory " + string(s.oldRelease.ID) + " deploying", "Stage " + string(s.oldRelease.ID), "Promote " + string(s.oldRelease.ID),
			"SaveHistory " + string(s.oldRelease.ID) + " serving", "Finalize " + string(s.oldRelease.ID),
		}
		if diff := cmp.Diff(want, s.changes()); diff != "" {
			t.Errorf("calls that change the target (-want +got):\n%s", diff)
		}
	})
}
