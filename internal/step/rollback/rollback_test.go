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
// it is not quarantined, for it serves, and that is not called a rollback.
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
		res, err := s.rollback().Run(t.Context(), r)
		if err != nil || res.Outcome != delivery.OutcomeSkipped {
			t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeSkipped)
		}
		if want := string(s.oldRelease.ID) + " receives the traffic"; !strings.Contains(res.Cause, want) || s.deploymentState(t) != delivery.Stuck {
			t.Errorf("cause = %q, deployment %s; want %q in it, and %s", res.Cause, s.deploymentState(t), want, delivery.Stuck)
		}
		s.wantState(t, s.oldRelease.ID)
	})
}

// TestUndo_SameReleaseKilledAtEveryCall comes to the same end wherever it is killed.
func TestUndo_SameReleaseKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			t.Run(fmt.Sprintf("killed at %d, after %v", at, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newFixture(true)
					s.Target.Lost = func(delivery.ReleaseID) bool { return true }
					r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
					if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
						t.Fatalf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeFailed)
					}
					s.Target.Lost = nil
					r.Cause = "lost"
					var res step.Result
					res, killed = s.runKilled(t, s.rollback(), r, fake.NewFuse(at, after))
					if res.Outcome != delivery.OutcomeSkipped || s.deploymentState(t) != delivery.Stuck {
						t.Errorf("outcome = %s (%q), deployment %s; want it skipped, and %s", res.Outcome, res.Cause, s.deploymentState(t), delivery.Stuck)
					}
					s.wantState(t, s.oldRelease.ID)
				})
			})
		}
	}
}

// TestUndo_RestoresSameRelease: what does not serve is started again, for there is no
// other release to go back to; if that fails, too, a person must look.
func TestUndo_RestoresSameRelease(t *testing.T) {
	for _, c := range []struct {
		name string
		lost bool
		want delivery.Outcome
		says string
	}{
		{"it starts", false, delivery.OutcomeSkipped, " receives the traffic"},
		{"it is lost", true, delivery.OutcomeFailed, " in prod failed: attempts 1 to 3: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(true)
				if err := s.Target.Remove(t.Context(), "api", env); err != nil {
					t.Fatal(err)
				}
				s.Target.Lost = func(delivery.ReleaseID) bool { return true }
				r := s.request(step.RollbackParams{Release: s.oldRelease.ID})
				if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
					t.Fatalf("outcome = %s (%q, %q), error = %v, want %s", res.Outcome, res.Summary, res.Cause, err, delivery.OutcomeFailed)
				}
				s.Target.Lost = func(delivery.ReleaseID) bool { return c.lost }
				r.Cause = "removed"
				res, err := s.rollback().Run(t.Context(), r)
				if err != nil || res.Outcome != c.want || !strings.Contains(res.Cause, string(s.oldRelease.ID)+c.says) {
					t.Fatalf("outcome = %s (%q), error = %v, want %s with %q", res.Outcome, res.Cause, err, c.want, c.says)
				}
				if got := s.deploymentState(t); got != delivery.Stuck {
					t.Errorf("the deployment is %s, want %s", got, delivery.Stuck)
				}
				now, _ := s.Records.Releases().Get(t.Context(), s.oldRelease.ID)
				if now.Quarantined != nil {
					t.Errorf("it is quarantined: %+v", now.Quarantined)
				}
			})
		})
	}
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
