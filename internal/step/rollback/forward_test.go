package rollback_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestForward_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID, Reason: "prices are wrong"})
				r.Spec.Kind, r.Spec.Name = step.Rollback, "rollback"
				var res step.Result
				res, killed = s.runKilled(t, s.rollback(), r, fake.NewFuse(at, after))
				if res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("outcome = %s (%q, %q), want %s", res.Outcome, res.Summary, res.Cause, delivery.OutcomeSucceeded)
				}
				s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
				now, _ := s.Records.Releases().Get(t.Context(), s.newRelease.ID)
				if now.Quarantined.Reason != "rolled back by bob: prices are wrong" {
					t.Errorf("reason %q", now.Quarantined.Reason)
				}
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}

func TestForward_UnhealthyRelease(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		t.Run("undo step "+string(undo), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
					return fake.HealthResponse("broken", id, s.oldRelease.Release.Model), id == s.oldRelease.ID, nil
				}
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
				res, err := s.rollback().Run(t.Context(), r)
				if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, `status is "broken"`) {
					t.Fatalf("outcome = %s (%q, %q), error = %v, want %s, %q", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed, `status is "broken"`)
				}
				if undo != "" {
					r.Cause = res.Cause
					if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
					}
				}
				s.wantState(t, s.newRelease.ID, s.oldRelease.ID)
			})
		})
	}
}

func TestForward_Cancelled(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		t.Run("undo step "+string(undo), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				why := errors.New("stopped by ann")
				ctx, cancel := context.WithCancelCause(t.Context())
				s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
					if id == s.oldRelease.ID {
						cancel(why)
					}
					return port.ProbeResponse{}, false, nil
				}
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
				if _, err := s.rollback().Run(ctx, r); !errors.Is(err, why) {
					t.Fatal(err)
				}
				if undo != "" {
					r.Cause, r.Cancelled = why.Error(), true
					if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
					}
				}
				s.wantState(t, s.newRelease.ID)
				if s.deploymentState(t) != delivery.Cancelled {
					t.Errorf("the deployment is %s", s.deploymentState(t))
				}
			})
		})
	}
}

func TestForward_AlreadyDeployedOrQuarantined(t *testing.T) {
	s := newFixture(true)
	r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
	res, err := s.rollback().Run(t.Context(), r)
	var d step.DeployOutput
	_ = json.Unmarshal(res.Output, &d)
	if err != nil || !d.AlreadyDeployed {
		t.Errorf("output = %+v, error = %v, want it already deployed", d, err)
	}
	_ = s.Records.Releases().Quarantine(t.Context(), delivery.Quarantine{Release: s.newRelease.ID, Reason: "bad"})
	if _, err := s.rollback().Run(t.Context(), s.promotion()); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want %s", err, fault.Conflict)
	}
}
