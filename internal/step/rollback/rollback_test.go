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
		deployed  func(*fixture) // how far it came, with the fuse of the deployment
		outcome   delivery.Outcome
		state     delivery.DeploymentState
		serves    bool // old afterwards
		out       bool // fresh quarantined
	}{
		{name: "promoted", served: true, deployed: deployed, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, serves: true, out: true},
		{name: "promoted, cancelled", served: true, cancelled: true, deployed: deployed, outcome: delivery.OutcomeSucceeded, state: delivery.Cancelled, serves: true},
		{name: "promoted, nothing before", deployed: deployed, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, out: true},
		{name: "nothing before, cancelled", cancelled: true, deployed: deployed, outcome: delivery.OutcomeSucceeded, state: delivery.Cancelled},
		{name: "never begun", served: true, deployed: func(*fixture) {}, outcome: delivery.OutcomeSkipped, state: delivery.Serving, serves: true},
		{name: "staged", served: true, deployed: deployedUnhealthy, outcome: delivery.OutcomeSucceeded, state: delivery.RolledBack, serves: true, out: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(c.served)
				c.deployed(s)
				res, err := s.rollback().Run(t.Context(), s.undoRequest(c.cancelled))
				if err != nil || res.Outcome != c.outcome {
					t.Fatalf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, c.outcome)
				}
				if got := s.deploymentState(t); got != c.state {
					t.Errorf("the deployment is %s, want %s", got, c.state)
				}
				s.wantUndone(t, c.serves, c.out)
				again, err := s.rollback().Run(t.Context(), s.undoRequest(c.cancelled))
				if err != nil || again.Outcome != c.outcome {
					t.Errorf("run again: outcome = %s, error = %v, want %s", again.Outcome, err, c.outcome)
				}
				s.wantUndone(t, c.serves, c.out)
			})
		})
	}
}

// TestUndo_KilledAtEveryCall kills the deployment at every call of a port, before and
// after its effect, then goes on; or rolls back, killed at every call as well.
// Whatever happens, one recorded release serves in the end.
func TestUndo_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, served := range []bool{true, false} {
			for at := 1; ; at++ {
				name := fmt.Sprintf("deploy killed at %d, after %v, served %v", at, after, served)
				killed := false
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newFixture(served)
						var res step.Result
						res, killed = s.runKilled(t, s.deploy(), s.promotion(), fake.NewFuse(at, after))
						if res.Outcome != delivery.OutcomeSucceeded {
							t.Fatalf("outcome = %s (%q, %q), want %s", res.Outcome, res.Summary, res.Cause, delivery.OutcomeSucceeded)
						}
						accept(t, s, res)
						s.wantState(t, s.newRelease.ID)
					})
					undoKilled(t, at, after, served)
				})
				if !killed {
					break
				}
			}
		}
	}
}

// undoKilled rolls back a deployment that was killed at a call and not resumed; the
// rollback is killed too, at every one of its calls in turn.
func undoKilled(t *testing.T, at int, after, served bool) {
	for n := 1; ; n++ {
		killed := false
		synctest.Test(t, func(t *testing.T) {
			s := newFixture(served)
			s.SetFuse(fake.NewFuse(at, after))
			fake.Survive(func() { _, _ = s.deploy().Run(t.Context(), s.promotion()) })
			s.SetFuse(nil)
			begun, _, _ := history.DeploymentOfRun(t.Context(), s.Records.Deployments(), s.promotion())
			var res step.Result
			res, killed = s.runKilled(t, s.rollback(), s.undoRequest(false), fake.NewFuse(n, !after))
			want := delivery.OutcomeSucceeded
			if begun.ID == 0 {
				want = delivery.OutcomeSkipped
			}
			if res.Outcome != want {
				t.Errorf("rollback killed at %d: %s, want %s: %s", n, res.Outcome, want, res.Cause)
			}
			s.wantUndone(t, served, begun.ID != 0)
		})
		if !killed || t.Failed() {
			return
		}
	}
}

// TestUndo_IgnoresSmokeChecksOfFailedRelease: the old release does not know the
// new request, and is restored all the same.
func TestUndo_IgnoresSmokeChecksOfFailedRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		deployed(s)
		r := s.request(step.RollbackParams{Release: s.newRelease.ID, ProbeParams: step.ProbeParams{Checks: []step.Check{{Name: "v2", Path: "/v2", Status: 200}}}})
		r.Cause = "bad"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID, s.newRelease.ID)
		const gate = "smoke: v2"
		if !slices.ContainsFunc(s.events, func(e event.Event) bool { return e.GateResult != nil && e.GateResult.Gate == gate }) {
			t.Errorf("events = %+v, want a result of the gate %q", s.events, gate)
		}
	})
}

// TestUndo_SameReleaseIsNotQuarantined takes back the second coming of the release that serves:
// it is not quarantined, for it serves.
func TestUndo_SameReleaseIsNotQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		s.Target.Lost = func(delivery.ReleaseID) bool { return true }
		r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
		}
		s.Target.Lost = nil
		r.Cause = "lost"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID)
	})
}

func TestUndo_LeavesAcceptedDeployment(t *testing.T) {
	s := newFixture(true)
	res, err := s.deploy().Run(t.Context(), s.promotion())
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, res)
	if res, err := s.rollback().Run(t.Context(), s.undoRequest(true)); err != nil || res.Outcome != delivery.OutcomeSkipped {
		t.Errorf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSkipped)
	}
	s.wantState(t, s.newRelease.ID)
}

func TestRun_UnknownTarget(t *testing.T) {
	s := newFixture(true)
	r := s.promotion()
	r.Spec.Params = json.RawMessage(`{"target":"moon"}`)
	_, err := s.rollback().Run(t.Context(), r)
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
	if hint := fault.HintOf(err); !strings.Contains(hint, "local") {
		t.Errorf("hint = %q, want %q in it", hint, "local")
	}
}
