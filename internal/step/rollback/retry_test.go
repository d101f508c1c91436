package rollback_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestForward_UnhealthyAndKilledAtEveryCall goes back to a sick release without an undo
// in the plan, killed at every call: also in the middle of its own way back.
func TestForward_UnhealthyAndKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
					return port.ProbeResponse{Status: 404}, id == s.oldRelease.ID, nil
				}
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				r.Spec.Kind, r.Spec.Undo = step.Rollback, ""
				var res step.Result
				res, killed = s.runKilled(t, s.rollback(), r, fake.NewFuse(at, after))
				if res.Outcome != delivery.OutcomeFailed {
					t.Errorf("outcome = %s (%q, %q), want %s", res.Outcome, res.Summary, res.Cause, delivery.OutcomeFailed)
				}
				s.wantState(t, s.newRelease.ID, s.oldRelease.ID)
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}

// TestDeploy_SameReleaseKilledAtEveryCall brings in anew what serves by the records but
// was lost. After the crash the loss is gone: the deployment that was begun must
// not be left open all the same.
func TestDeploy_SameReleaseKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				s.Target.Lost = func(delivery.ReleaseID) bool { return true }
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				s.SetFuse(fake.NewFuse(at, after))
				killed = fake.Survive(func() { _, _ = s.deploy().Run(t.Context(), r) })
				s.SetFuse(nil)
				s.Target.Lost = nil
				res, err := s.deploy().Run(t.Context(), r)
				if err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
				}
				accept(t, s, res)
				s.wantState(t, s.oldRelease.ID)
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}
