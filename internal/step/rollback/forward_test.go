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

func TestForwardKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(true)
				s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
				r := s.ask(step.RollbackParams{Release: s.old.ID, Reason: "prices are wrong"})
				r.Spec.Kind, r.Spec.Name = step.Rollback, "rollback"
				var res step.Result
				res, killed = s.until(t, s.rollback(), r, fake.NewFuse(at, after))
				if res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("%+v", res)
				}
				s.truth(t, s.old.ID, s.fresh.ID)
				now, _ := s.Records.Releases().Get(t.Context(), s.fresh.ID)
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

func TestForwardFails(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(true)
			s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
			s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
				return fake.HealthResponse("broken", id, s.old.Release.Model), id == s.old.ID, nil
			}
			r := s.ask(step.RollbackParams{Release: s.old.ID})
			r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
			res, err := s.rollback().Run(t.Context(), r)
			if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, `status is "broken"`) {
				t.Fatalf("%+v, %v", res, err)
			}
			if undo != "" {
				r.Cause = res.Cause
				if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("%+v, %v", res, err)
				}
			}
			s.truth(t, s.fresh.ID, s.old.ID)
		})
	}
}

func TestForwardStopped(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(true)
			s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
			why := errors.New("stopped by ann")
			ctx, cancel := context.WithCancelCause(t.Context())
			s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
				if id == s.old.ID {
					cancel(why)
				}
				return port.ProbeResponse{}, false, nil
			}
			r := s.ask(step.RollbackParams{Release: s.old.ID})
			r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
			if _, err := s.rollback().Run(ctx, r); !errors.Is(err, why) {
				t.Fatal(err)
			}
			if undo != "" {
				r.Cause, r.Cancelled = why.Error(), true
				if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("%+v, %v", res, err)
				}
			}
			s.truth(t, s.fresh.ID)
			if s.state(t) != delivery.Cancelled {
				t.Errorf("the deployment is %s", s.state(t))
			}
		})
	}
}

func TestForwardAlreadyAndQuarantined(t *testing.T) {
	s := newScene(true)
	r := s.ask(step.RollbackParams{Release: s.old.ID})
	res, err := s.rollback().Run(t.Context(), r)
	var d step.DeployOutput
	_ = json.Unmarshal(res.Output, &d)
	if err != nil || !d.AlreadyDeployed {
		t.Errorf("%+v, %v", res, err)
	}
	_ = s.Records.Releases().Quarantine(t.Context(), delivery.Quarantine{Release: s.fresh.ID, Reason: "bad"})
	if _, err := s.rollback().Run(t.Context(), s.promotion()); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
}
