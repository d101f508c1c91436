package rollback_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/rollback"
)

// inCluster lets the scene's target keep the release before, and a history.
func (s *scene) inCluster() (deploy.Step, rollback.Step) {
	s.Target.KeepsPrevious = true
	targets := port.Targets{"local": &fake.TargetWithHistory{Target: s.Target}}
	d, b := s.deploy(), s.rollback()
	d.Targets, b.Targets = targets, targets
	return d, b
}

// changes are the calls that change something at the target.
func (s *scene) changes() []string {
	return slices.DeleteFunc(slices.Clone(s.Target.Calls), func(c string) bool { return strings.HasPrefix(c, "Observe") })
}

// TestUndoSettles: the way back lets go of what was kept, and the history beside
// what serves says how it ended.
func TestUndoSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		forth, back := s.inCluster()
		if res, err := forth.Run(t.Context(), s.promotion()); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		if _, all := s.Target.Running(env); len(all) != 2 {
			t.Fatalf("%v run: the one before was not kept", all)
		}
		s.Target.Calls = nil
		if res, err := back.Run(t.Context(), s.undoing(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
		calls := s.changes()
		settled, written := slices.Index(calls, "Settle "+string(s.old.ID)), slices.Index(calls, "Write "+string(s.fresh.ID)+" rolled_back")
		promoted := slices.Index(calls, "Promote "+string(s.old.ID))
		if settled < 0 || written < 0 || promoted < 0 || promoted > settled {
			t.Errorf("calls %q: it was not promoted, settled and told", calls)
		}
	})
}

// TestForwardSettles: going back by hand tells before and after, and settles last,
// which lets the next run in.
func TestForwardSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		forth, back := s.inCluster()
		res, err := forth.Run(t.Context(), s.promotion())
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		accept(t, s, res)
		o := port.DeployRequest{Service: "api", Environment: env, ID: s.fresh.ID}
		if err := s.Target.Finalize(t.Context(), o, nil); err != nil {
			t.Fatal(err)
		}
		s.Target.Calls = nil
		r := s.ask(step.RollbackParams{Release: s.old.ID})
		r.Run, r.Spec.Kind, r.Spec.Name = "20260103-000000-cccc", step.Rollback, "rollback"
		if res, err := back.Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
		want := []string{
			"Write " + string(s.old.ID) + " deploying", "Stage " + string(s.old.ID), "Promote " + string(s.old.ID),
			"Write " + string(s.old.ID) + " serving", "Settle " + string(s.old.ID),
		}
		if got := s.changes(); !slices.Equal(got, want) {
			t.Errorf("calls %q, want %q", got, want)
		}
	})
}
