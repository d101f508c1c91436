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

// TestFailingForwardKilledAnywhere goes back to a sick release without an undo
// in the plan, killed at every call: also in the middle of its own way back.
func TestFailingForwardKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(true)
				s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
				s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
					return port.ProbeResponse{Status: 404}, id == s.old.ID, nil
				}
				r := s.ask(step.RollbackParams{Release: s.old.ID})
				r.Spec.Kind, r.Spec.Undo = step.Rollback, ""
				var res step.Result
				res, killed = s.until(t, s.rollback(), r, fake.NewFuse(at, after))
				if res.Outcome != delivery.OutcomeFailed {
					t.Errorf("%+v", res)
				}
				s.truth(t, s.fresh.ID, s.old.ID)
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}

// TestSameReleaseKilledAnywhere brings in anew what serves by the records but
// was lost. After the crash the loss is gone: the deployment that was begun must
// not be left open all the same.
func TestSameReleaseKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(true)
				s.Target.Lost = func(delivery.ReleaseID) bool { return true }
				r := s.ask(step.RollbackParams{Release: s.old.ID})
				s.SetFuse(fake.NewFuse(at, after))
				killed = fake.Survive(func() { _, _ = s.deploy().Run(t.Context(), r) })
				s.SetFuse(nil)
				s.Target.Lost = nil
				res, err := s.deploy().Run(t.Context(), r)
				if err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("%+v, %v", res, err)
				}
				accept(t, s, res)
				s.truth(t, s.old.ID)
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}
