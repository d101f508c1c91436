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

// TestForward_KilledAtEveryCall does the same with a rollback that a person asked for.
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
				if want := "rolled back by bob: prices are wrong"; now.Quarantined.Reason != want {
					t.Errorf("reason of the quarantine = %q, want %q", now.Quarantined.Reason, want)
				}
			})
			if t.Failed() {
				t.Fatalf("killed at %d, after %v", at, after)
			}
		}
	}
}

// TestForward_UnhealthyRelease goes back to a release that is sick: what served stays, with
// the engine's undo and without.
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

// TestForward_Cancelled stops it while the old release is being asked.
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
					t.Fatalf("error = %v, want %v", err, why)
				}
				if undo != "" {
					r.Cause, r.Cancelled = why.Error(), true
					if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
					}
				}
				s.wantState(t, s.newRelease.ID)
				if got := s.deploymentState(t); got != delivery.Cancelled {
					t.Errorf("state of the deployment = %s, want %s", got, delivery.Cancelled)
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
	if err != nil {
		t.Errorf("error = %v, want none", err)
	}
	if !d.AlreadyDeployed {
		t.Errorf("output = %+v, want AlreadyDeployed", d)
	}
	_ = s.Records.Releases().Quarantine(t.Context(), delivery.Quarantine{Release: s.newRelease.ID, Reason: "bad"})
	if _, err := s.rollback().Run(t.Context(), s.promotion()); !fault.Is(err, fault.Conflict) {
		t.Errorf("error = %v, want %s", err, fault.Conflict)
	}
}

// TestForward_Log: a rollback is a deployment: another log than the environment's is
// refused, and its own is how far the environment is tied to it afterwards.
func TestForward_Log(t *testing.T) {
	for _, c := range []struct {
		log     *fake.RecordLog
		refused bool
	}{{fake.NewRecordLog("B", 1, 2, 3), true}, {fake.NewRecordLog("A", 1, 2, 3), false}} {
		synctest.Test(t, func(t *testing.T) {
			s := newFixture(true)
			s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
			target := &fake.AnchoredTarget{TargetWithHistory: &fake.TargetWithHistory{Target: s.Target}}
			before := port.Anchor{Mark: fake.NewRecordLog("A", 1).Mark(1)}
			if err := target.SetAnchor(t.Context(), "api", env, port.LogMark{}, before); err != nil {
				t.Fatal(err)
			}
			back := s.rollback()
			back.Targets, back.Log = port.Targets{"local": target}, c.log
			r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
			r.Spec.Kind = step.Rollback
			_, err := back.Run(t.Context(), r)
			want, deployed := c.log.Mark(3), s.oldRelease.ID
			if c.refused {
				want, deployed = before.Mark, s.newRelease.ID
			}
			if fault.Is(err, fault.Conflict) != c.refused || err != nil != c.refused {
				t.Errorf("log %s: error = %v, want a conflict: %v", c.log.ID, err, c.refused)
			}
			if a, err := target.Anchor(t.Context(), "api", env); err != nil || a.Mark != want {
				t.Errorf("log %s: anchor = %v, %v, want %v", c.log.ID, a.Mark, err, want)
			}
			if serving, _ := s.Target.Running(env); serving != deployed {
				t.Errorf("log %s: %s receives the traffic, want %s", c.log.ID, serving, deployed)
			}
		})
	}
}
