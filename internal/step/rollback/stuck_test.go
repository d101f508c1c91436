package rollback_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// TestUndo_FailsAndCanBeRepeated lets the target refuse to bring the old release back.
func TestUndo_FailsAndCanBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		s.Target.Fail = func(method string, id delivery.ReleaseID) error {
			if method == "Stage" && id == s.oldRelease.ID {
				return errors.New("no memory left")
			}
			return nil
		}
		res, err := s.rollback().Run(t.Context(), s.undoRequest(false))
		if err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
		}
		for _, want := range []string{
			string(s.newRelease.ID) + " to " + string(s.oldRelease.ID), "attempts 1 to 3: start " + string(s.oldRelease.ID) + ": no memory left",
			string(s.newRelease.ID) + " receives the traffic at " + fake.StableURL(env) + " now, 1 of 1 replicas ready",
		} {
			if !strings.Contains(res.Cause, want) {
				t.Errorf("the cause lacks %q: %s", want, res.Cause)
			}
		}
		if got := s.deploymentState(t); got != delivery.Stuck {
			t.Errorf("state of the deployment = %s, want %s", got, delivery.Stuck)
		}
		if res.Hint == "" {
			t.Error("the result has no hint, want one")
		}
		// Once the target is mended, asking again brings it back.
		s.Target.Fail = nil
		if res, err = s.rollback().Run(t.Context(), s.undoRequest(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
	})
}

// TestUndo_RetriesTargetErrors fails each call of the target once.
func TestUndo_RetriesTargetErrors(t *testing.T) {
	for _, method := range []string{"Observe", "Stage", "Promote", "Discard"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				deployed(s)
				failed := false
				s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
					if m != method || failed {
						return nil
					}
					failed = true
					return errors.New("connection reset")
				}
				res, err := s.rollback().Run(t.Context(), s.undoRequest(false))
				if err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
				}
				if !failed {
					t.Errorf("%s was not called, want it called and failed once", method)
				}
				s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
			})
		})
	}
}

// TestUndo_RequiresHealthyRestoredRelease keeps the old release silent: a rollback that
// was not verified has not worked.
func TestUndo_RequiresHealthyRestoredRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
			return port.ProbeResponse{}, false, fault.New(fault.Unavailable, "refused")
		}
		res, err := s.rollback().Run(t.Context(), s.undoRequest(false))
		if err != nil || res.Outcome != delivery.OutcomeFailed || s.deploymentState(t) != delivery.Stuck {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
		}
	})
}

// TestUndo_ResumesAfterCancel stops it by its context: that is no verdict.
func TestUndo_ResumesAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
			if m == "Stage" {
				cancel(why)
			}
			return nil
		}
		if _, err := s.rollback().Run(ctx, s.undoRequest(false)); !errors.Is(err, why) {
			t.Errorf("error = %v, want %v", err, why)
		}
		if got := s.deploymentState(t); got != delivery.Deploying {
			t.Errorf("state of the deployment = %s, want %s", got, delivery.Deploying)
		}
		s.Target.Fail = nil
		if res, err := s.rollback().Run(t.Context(), s.undoRequest(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
	})
}

// TestUndo_WaitsForUnreachableTarget waits for a place that does not answer, much longer than
// for one that says no, and does not blame the release for it.
func TestUndo_WaitsForUnreachableTarget(t *testing.T) {
	cases := []struct {
		name    string
		away    time.Duration
		outcome delivery.Outcome
		state   delivery.DeploymentState
	}{
		{"it comes back", 5 * time.Minute, delivery.OutcomeSucceeded, delivery.RolledBack},
		{"it stays away", time.Hour, delivery.OutcomeFailed, delivery.Stuck},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				deployed(s)
				back := time.Now().Add(c.away)
				s.Target.Fail = func(string, delivery.ReleaseID) error {
					if time.Now().Before(back) {
						return fault.New(fault.Unavailable, "ask the cluster").Infrastructure()
					}
					return nil
				}
				r := s.undoRequest(false)
				r.InfrastructureFailure = true
				res, err := s.rollback().Run(t.Context(), r)
				if err != nil || res.Outcome != c.outcome || s.deploymentState(t) != c.state {
					t.Fatalf("outcome = %s (%q), error = %v, deployment %s, want %s and %s", res.Outcome, res.Cause, err, s.deploymentState(t), c.outcome, c.state)
				}
				if c.outcome == delivery.OutcomeSucceeded {
					s.wantState(t, s.oldRelease.ID)
				} else if !strings.Contains(res.Cause, "attempts 1 to ") {
					t.Errorf("cause = %q, want the attempts in it", res.Cause)
				}
			})
		})
	}
}
