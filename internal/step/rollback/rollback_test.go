package rollback_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/history"
)

// truth holds the end against what must be so: records and target name the same
// one release, nothing else runs, and only what was left is out.
// until runs a step, killed where the fuse burns, and then again until it ends.
func TestUndo(t *testing.T) {
	cases := []struct {
		name      string
		served    bool
		cancelled bool
		deployed  func(*scene) // how far it came, with the fuse of the deployment
		outcome   delivery.Outcome
		state     delivery.DeploymentState
		serves    bool // old afterwards
		out       bool // fresh quarantined
	}{
		{name: "promoted", served: true, deployed: whole, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, serves: true, out: true},
		{name: "promoted, cancelled", served: true, cancelled: true, deployed: whole, outcome: delivery.OutcomeSucceeded, state: delivery.Cancelled, serves: true},
		{name: "promoted, nothing before", deployed: whole, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, out: true},
		{name: "nothing before, cancelled", cancelled: true, deployed: whole, outcome: delivery.OutcomeSucceeded, state: delivery.Cancelled},
		{name: "never begun", served: true, deployed: func(*scene) {}, outcome: delivery.OutcomeSkipped, state: delivery.Serving, serves: true},
		{name: "staged", served: true, deployed: sickStaged, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, serves: true, out: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(c.served)
				c.deployed(s)
				res, err := s.rollback().Run(t.Context(), s.undoing(c.cancelled))
				if err != nil || res.Outcome != c.outcome {
					t.Fatalf("%s: %q, %v", res.Outcome, res.Cause, err)
				}
				if got := s.state(t); got != c.state {
					t.Errorf("the deployment is %s, want %s", got, c.state)
				}
				s.check(t, c.serves, c.out)
				again, err := s.rollback().Run(t.Context(), s.undoing(c.cancelled))
				if err != nil || again.Outcome != c.outcome {
					t.Errorf("again: %s, %v", again.Outcome, err)
				}
				s.check(t, c.serves, c.out)
			})
		})
	}
}

// TestKilledAnywhere kills the deployment at every call of a port, before and
// after its effect, then goes on; or rolls back, killed at every call as well.
// Whatever happens, one recorded release serves in the end.
func TestKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, served := range []bool{true, false} {
			for at := 1; ; at++ {
				name := fmt.Sprintf("deploy killed at %d, after %v, served %v", at, after, served)
				killed := false
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newScene(served)
						var res step.Result
						res, killed = s.until(t, s.deploy(), s.promotion(), fake.NewFuse(at, after))
						if res.Outcome != delivery.OutcomeSucceeded {
							t.Fatalf("%+v", res)
						}
						accept(t, s, res)
						s.truth(t, s.fresh.ID)
					})
					undone(t, at, after, served)
				})
				if !killed {
					break
				}
			}
		}
	}
}

// undone rolls back a deployment that was killed at a call and not resumed; the
// rollback is killed too, at every one of its calls in turn.
func undone(t *testing.T, at int, after, served bool) {
	for n := 1; ; n++ {
		killed := false
		synctest.Test(t, func(t *testing.T) {
			s := newScene(served)
			s.SetFuse(fake.NewFuse(at, after))
			fake.Survive(func() { _, _ = s.deploy().Run(t.Context(), s.promotion()) })
			s.SetFuse(nil)
			begun, _, _ := history.DeploymentOfRun(t.Context(), s.Records.Deployments(), s.promotion())
			var res step.Result
			res, killed = s.until(t, s.rollback(), s.undoing(false), fake.NewFuse(n, !after))
			want := delivery.OutcomeSucceeded
			if begun.ID == 0 {
				want = delivery.OutcomeSkipped
			}
			if res.Outcome != want {
				t.Errorf("rollback killed at %d: %s, want %s: %s", n, res.Outcome, want, res.Cause)
			}
			s.check(t, served, begun.ID != 0)
		})
		if !killed || t.Failed() {
			return
		}
	}
}

// TestForwardKilledAnywhere does the same with a rollback that a person asked for.
// TestForwardFails goes back to a release that is sick: what served stays, with
// the engine's undo and without.
// TestForwardStopped stops it while the old release is being asked.
// TestStuck lets the target refuse to bring the old release back.
// TestTroubleThatHeals fails each call of the target once.
// TestRestoredReleaseHasToAnswer keeps the old release silent: a rollback that
// was not verified has not worked.
// TestStoppedRollbackGoesOn stops it by its context: that is no verdict.
// TestSmokeChecksOfTheNewDoNotHoldBackTheOld: the old release does not know the
// new request, and is restored all the same.
func TestSmokeChecksOfTheNewDoNotHoldBackTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		r := s.ask(step.RollbackParams{Release: s.fresh.ID, ProbeParams: step.ProbeParams{Checks: []step.Check{{Name: "v2", Path: "/v2", Status: 200}}}})
		r.Cause = "bad"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
		told := slices.ContainsFunc(s.events, func(e event.Event) bool { return e.GateResult != nil && e.GateResult.Gate == "smoke: v2" })
		if !told {
			t.Error("the smoke check's answer was not told")
		}
	})
}

// TestSameReleaseAgain takes back the second coming of the release that serves:
// it is not quarantined, for it serves.
func TestSameReleaseAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		s.Target.Lost = func(delivery.ReleaseID) bool { return true }
		r := s.ask(step.RollbackParams{Release: s.old.ID})
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("%+v, %v", res, err)
		}
		s.Target.Lost = nil
		r.Cause = "lost"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID)
	})
}

func TestAcceptedIsNotUndone(t *testing.T) {
	s := newScene(true)
	res, err := s.deploy().Run(t.Context(), s.promotion())
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, res)
	if res, err := s.rollback().Run(t.Context(), s.undoing(true)); err != nil || res.Outcome != delivery.OutcomeSkipped {
		t.Errorf("%+v, %v", res, err)
	}
	s.truth(t, s.fresh.ID)
}

func TestUnknownTarget(t *testing.T) {
	s := newScene(true)
	r := s.promotion()
	r.Spec.Params = json.RawMessage(`{"target":"moon"}`)
	_, err := s.rollback().Run(t.Context(), r)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "local") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
