package rollback_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// undoOrHold is the undo of a deployment in an environment whose releases keep the
// traffic when they fail.
func (s *fixture) undoOrHold(cancelled bool) step.Request {
	r := s.request(step.RollbackParams{RolloutParams: step.RolloutParams{OnFailure: step.HoldOnFailure}, Release: s.newRelease.ID})
	r.Cause, r.Cancelled = "watch: 30 of 100 requests failed", cancelled
	return r
}

// wantHeld checks that the new release has the traffic, is held, and not quarantined.
func (s *fixture) wantHeld(t *testing.T) {
	t.Helper()
	s.SetFuse(nil)
	if got := s.deploymentState(t); got != delivery.Held {
		t.Errorf("the deployment is %s, want %s", got, delivery.Held)
	}
	if serving, _ := s.Target.Running(env); serving != s.newRelease.ID {
		t.Errorf("%s has the traffic, want %s", serving, s.newRelease.ID)
	}
	if r, _ := s.Records.Releases().Get(t.Context(), s.newRelease.ID); r.Quarantined != nil {
		t.Errorf("it is quarantined: %+v", r.Quarantined)
	}
}

// TestUndo_Hold leaves the traffic with a release that got it, also if the run was
// cancelled, and takes back one that did not.
func TestUndo_Hold(t *testing.T) {
	for _, c := range []struct {
		name              string
		served, cancelled bool
		deployed          func(*fixture)
		held              bool
	}{
		{"promoted", true, false, deployed, true},
		{"promoted, cancelled", true, true, deployed, true},
		{"promoted, nothing before", false, false, deployed, true},
		{"staged", true, false, deployedUnhealthy, false},
		{"staged, nothing before", false, false, deployedUnhealthy, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(c.served)
				c.deployed(s)
				for range 2 { // repeated after a crash
					res, err := s.rollback().Run(t.Context(), s.undoOrHold(c.cancelled))
					if err != nil {
						t.Fatal(err)
					}
					if !c.held {
						s.wantUndone(t, c.served, true)
						continue
					}
					if res.Outcome != delivery.OutcomeSkipped || !strings.HasPrefix(res.Cause, "held: ") || res.Hint == "" {
						t.Errorf("outcome = %s, cause = %q, hint = %q; want it skipped, with a cause and a hint", res.Outcome, res.Cause, res.Hint)
					}
					s.wantHeld(t)
				}
			})
		})
	}
}

// TestUndo_HoldKilledAtEveryCall comes to the same end wherever it is killed.
func TestUndo_HoldKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			t.Run(fmt.Sprintf("killed at %d, after %v", at, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newFixture(true)
					deployed(s)
					_, killed = s.runKilled(t, s.rollback(), s.undoOrHold(false), fake.NewFuse(at, after))
					s.wantHeld(t)
				})
			})
		}
	}
}

// TestForward_EndsHold: a person's rollback goes back to what was accepted, and
// quarantines the release that was held.
func TestForward_EndsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		if _, err := s.rollback().Run(t.Context(), s.undoOrHold(false)); err != nil {
			t.Fatal(err)
		}
		r := s.request(step.RollbackParams{RolloutParams: step.RolloutParams{OnFailure: step.HoldOnFailure}, Release: s.oldRelease.ID})
		r.Run, r.Spec.Undo = "20260103-000000-cccc", ""
		res, err := s.rollback().Run(t.Context(), r)
		if err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q), error = %v", res.Outcome, res.Cause, err)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
	})
}

// TestUndo_KeepsHeld: what a later run takes back was beside the release that is held.
func TestUndo_KeepsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		if _, err := s.rollback().Run(t.Context(), s.undoOrHold(false)); err != nil {
			t.Fatal(err)
		}
		third := s.Release(3)
		s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
			return port.ProbeResponse{Status: 500}, id == third.ID, nil
		}
		r := s.request(step.RollbackParams{RolloutParams: step.RolloutParams{OnFailure: step.HoldOnFailure}, Release: third.ID})
		r.Run = "20260103-000000-cccc"
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("deploy: outcome = %s, error = %v, want a failure", res.Outcome, err)
		}
		r.Cause = "deploy: it responds with 500"
		res, err := s.rollback().Run(t.Context(), r)
		if err != nil || res.Outcome != delivery.OutcomeSucceeded || !strings.Contains(res.Summary, "is held") {
			t.Fatalf("undo: outcome = %s (%q, %q), error = %v", res.Outcome, res.Summary, res.Cause, err)
		}
		if serving, running := s.Target.Running(env); serving != s.newRelease.ID || len(running) != 1 {
			t.Errorf("%s has the traffic, and %v run, want %s alone", serving, running, s.newRelease.ID)
		}
		if got := s.deploymentState(t); got != delivery.RolledBack {
			t.Errorf("the third deployment is %s", got)
		}
	})
}
