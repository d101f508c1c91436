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

func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		s.Target.Fail = func(method string, id delivery.ReleaseID) error {
			if method == "Stage" && id == s.old.ID {
				return errors.New("no memory left")
			}
			return nil
		}
		res, err := s.rollback().Run(t.Context(), s.undoing(false))
		if err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("%+v, %v", res, err)
		}
		for _, want := range []string{
			string(s.fresh.ID) + " to " + string(s.old.ID), "attempts 1 to 3: start " + string(s.old.ID) + ": no memory left",
			string(s.fresh.ID) + " receives the traffic at " + fake.StableURL(env) + " now, 1 of 1 replicas ready",
		} {
			if !strings.Contains(res.Cause, want) {
				t.Errorf("the cause lacks %q: %s", want, res.Cause)
			}
		}
		if s.state(t) != delivery.Stuck || res.Hint == "" {
			t.Errorf("state %s, hint %q", s.state(t), res.Hint)
		}
		// Once the target is mended, asking again brings it back.
		s.Target.Fail = nil
		if res, err = s.rollback().Run(t.Context(), s.undoing(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
	})
}

func TestTroubleThatHeals(t *testing.T) {
	for _, method := range []string{"Observe", "Stage", "Promote", "Discard"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(true)
			whole(s)
			failed := false
			s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
				if m != method || failed {
					return nil
				}
				failed = true
				return errors.New("connection reset")
			}
			res, err := s.rollback().Run(t.Context(), s.undoing(false))
			if err != nil || res.Outcome != delivery.OutcomeSucceeded || !failed {
				t.Errorf("%s: %+v, %v", method, res, err)
			}
			s.truth(t, s.old.ID, s.fresh.ID)
		})
	}
}

func TestRestoredReleaseHasToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
			return port.ProbeResponse{}, false, fault.New(fault.Unavailable, "refused")
		}
		res, err := s.rollback().Run(t.Context(), s.undoing(false))
		if err != nil || res.Outcome != delivery.OutcomeFailed || s.state(t) != delivery.Stuck {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

func TestStoppedRollbackGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		s.Target.Fail = func(m string, _ delivery.ReleaseID) error {
			if m == "Stage" {
				cancel(why)
			}
			return nil
		}
		if _, err := s.rollback().Run(ctx, s.undoing(false)); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
		if s.state(t) != delivery.Deploying {
			t.Errorf("the deployment is %s", s.state(t))
		}
		s.Target.Fail = nil
		if res, err := s.rollback().Run(t.Context(), s.undoing(false)); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
	})
}

// TestPlaceThatIsAway waits for a place that does not answer, much longer than
// for one that says no, and does not blame the release for it.
func TestPlaceThatIsAway(t *testing.T) {
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
				s := newScene(true)
				whole(s)
				back := time.Now().Add(c.away)
				s.Target.Fail = func(string, delivery.ReleaseID) error {
					if time.Now().Before(back) {
						return fault.New(fault.Unavailable, "ask the cluster").Infrastructure()
					}
					return nil
				}
				r := s.undoing(false)
				r.InfrastructureFailure = true
				res, err := s.rollback().Run(t.Context(), r)
				if err != nil || res.Outcome != c.outcome || s.state(t) != c.state {
					t.Fatalf("%+v, %v, %s", res, err, s.state(t))
				}
				if c.outcome == delivery.OutcomeSucceeded {
					s.truth(t, s.old.ID)
				} else if !strings.Contains(res.Cause, "attempts 1 to ") {
					t.Errorf("the cause does not list the attempts: %s", res.Cause)
				}
			})
		})
	}
}
