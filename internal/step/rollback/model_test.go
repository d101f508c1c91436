package rollback_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// foreign has none of the models: another machine registered them.
type foreign struct{ port.ModelRegistry }

func (foreign) Get(_ context.Context, group string, version int) (delivery.ModelVersion, error) {
	return delivery.ModelVersion{}, fault.New(fault.NotFound, "model %s:%d not found", group, version)
}

// A release whose model lost its approval is not rolled back to, before anything
// begins. The undo of a deployment returns to it all the same.
func TestForward_RejectedModel(t *testing.T) {
	for name, c := range map[string]struct {
		status  delivery.ModelStatus
		foreign bool
		undo    bool
		refused bool
	}{
		"approved":              {status: delivery.Approved},
		"rejected":              {status: delivery.Rejected, refused: true},
		"unknown here":          {status: delivery.Rejected, foreign: true},
		"rejected, but an undo": {status: delivery.Rejected, undo: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				decision := delivery.ModelDecision{Status: c.status, By: delivery.Actor{Name: "cy"}, Why: "biased"}
				if _, err := s.Records.Models().Decide(t.Context(), *s.oldRelease.Release.Model, decision); err != nil {
					t.Fatal(err)
				}
				back := s.rollback()
				back.Models = s.Records.Models()
				if c.foreign {
					back.Models = foreign{back.Models}
				}
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				if c.undo {
					r = s.request(step.RollbackParams{Release: s.newRelease.ID})
					if _, err := s.deploy().Run(t.Context(), r); err != nil {
						t.Fatal(err)
					}
					r.Cause = "verify: it was wrong"
				} else {
					s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
					r.Spec.Kind, r.Spec.Undo = step.Rollback, ""
				}
				s.Target.Calls = nil
				res, err := back.Run(t.Context(), r)
				if !c.refused {
					if err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Errorf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
					}
					s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
					return
				}
				if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "was rejected by cy: biased") {
					t.Errorf("error = %v, want %s, and who rejected the model", err, fault.Denied)
				}
				if len(s.Target.Calls) > 0 {
					t.Errorf("calls of the target = %q, want none", s.Target.Calls)
				}
				s.wantState(t, s.newRelease.ID)
			})
		})
	}
}
