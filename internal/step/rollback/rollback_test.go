package rollback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/probe"
	"github.com/slipway-cd/slipway/internal/step/rollback"
)

const (
	env      = delivery.Environment("prod")
	firstRun = delivery.RunID("20260101-000000-aaaa")
	thisRun  = delivery.RunID("20260102-000000-bbbb")
)

// scene is a world in which release old serves and new is to come.
type scene struct {
	*fake.World
	old, fresh delivery.SavedRelease
	events     []event.Event
}

func newScene(served bool) *scene {
	s := &scene{World: fake.NewWorld()}
	s.old, s.fresh = s.Release(1), s.Release(2)
	if served {
		s.Serve(env, firstRun, s.old, time.Now())
	}
	return s
}

func (s *scene) deploy() deploy.Step {
	return deploy.Step{
		Targets: probe.Targets{"local": s.Target}, Releases: s.Ledger, Deployments: s.Ledger, Models: s.Ledger, Prober: s.Prober,
	}
}

func (s *scene) rollback() rollback.Step {
	return rollback.Step{Targets: probe.Targets{"local": s.Target}, Releases: s.Ledger, Deployments: s.Ledger, Prober: s.Prober}
}

func (s *scene) ask(w step.DeployWith) step.Request {
	w.Target = "local"
	with, _ := json.Marshal(w)
	return step.Request{
		Run: thisRun, Service: "api", Environment: env, By: "bob", Attempt: 1,
		Spec: step.Spec{Name: "deploy", Kind: step.Deploy, With: with, Undo: step.Rollback},
		Emit: func(e event.Event) { s.events = append(s.events, e) },
	}
}

func (s *scene) promotion() step.Request { return s.ask(step.DeployWith{Release: s.fresh.ID}) }

func (s *scene) undoing(cancelled bool) step.Request {
	r := s.promotion()
	r.Cause, r.Cancelled = "verify: it was wrong", cancelled
	return r
}

// truth holds the end against what must be so: records and target name the same
// one release, nothing else runs, and only what was left is out.
func (s *scene) truth(t *testing.T, want delivery.ReleaseID, quarantined ...delivery.ReleaseID) {
	t.Helper()
	s.Burn(nil)
	serving, all := s.Target.Running(env)
	if serving != want || want != "" && len(all) != 1 || want == "" && len(all) != 0 {
		t.Errorf("the target serves %q and runs %v, want %q alone", serving, all, want)
	}
	d, ok, _ := s.Ledger.Serving(t.Context(), env)
	if d.Release != want || ok != (want != "") {
		t.Errorf("the records say that %q serves (%v), want %q", d.Release, ok, want)
	}
	history, _ := s.Ledger.History(t.Context(), env, 0)
	for _, h := range history {
		if h.State == delivery.Deploying {
			t.Errorf("deployment %d of %s is still open", h.ID, h.Release)
		}
	}
	for _, rel := range []delivery.SavedRelease{s.old, s.fresh} {
		now, _ := s.Ledger.Release(t.Context(), rel.ID)
		if out := slices.Contains(quarantined, rel.ID); out != (now.Quarantined != nil) {
			t.Errorf("quarantine of %s is %v, want %v", rel.ID, now.Quarantined, out)
		}
	}
}

func (s *scene) state(t *testing.T) delivery.DeploymentState {
	t.Helper()
	history, err := s.Ledger.History(t.Context(), env, 1)
	if err != nil || len(history) == 0 {
		t.Fatalf("no history: %v", err)
	}
	return history[0].State
}

// until runs a step, killed where the fuse burns, and then again until it ends.
func (s *scene) until(t *testing.T, st step.Step, r step.Request, fuse *fake.Fuse) (res step.Result, killed bool) {
	t.Helper()
	s.Burn(fuse)
	var err error
	killed = fake.Survive(func() { res, err = st.Run(t.Context(), r) })
	s.Burn(nil)
	if killed {
		res, err = st.Run(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return res, killed
}

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
		{name: "promoted", served: true, deployed: whole, outcome: delivery.Succeeded, state: delivery.RolledBack, serves: true, out: true},
		{name: "promoted, cancelled", served: true, cancelled: true, deployed: whole, outcome: delivery.Succeeded, state: delivery.Cancelled, serves: true},
		{name: "promoted, nothing before", deployed: whole, outcome: delivery.Succeeded, state: delivery.RolledBack, out: true},
		{name: "nothing before, cancelled", cancelled: true, deployed: whole, outcome: delivery.Succeeded, state: delivery.Cancelled},
		{name: "never begun", served: true, deployed: func(*scene) {}, outcome: delivery.OutcomeSkipped, state: delivery.Serving, serves: true},
		{name: "staged", served: true, deployed: sickStaged, outcome: delivery.Succeeded, state: delivery.RolledBack, serves: true, out: true},
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

func (s *scene) check(t *testing.T, serves, out bool) {
	t.Helper()
	var want delivery.ReleaseID
	if serves {
		want = s.old.ID
	}
	if out {
		s.truth(t, want, s.fresh.ID)
		return
	}
	s.truth(t, want)
}

func whole(s *scene) {
	if res, err := s.deploy().Run(context.Background(), s.promotion()); err != nil || res.Outcome != delivery.Succeeded {
		panic(fmt.Sprint(res, err))
	}
}

func sickStaged(s *scene) {
	s.Prober.Answer = func(id delivery.ReleaseID, _ string, _ port.Question) (port.Reply, bool, error) {
		return port.Reply{Status: 500}, id == s.fresh.ID, nil
	}
	res, err := s.deploy().Run(context.Background(), s.promotion())
	if err != nil || res.Outcome != delivery.OutcomeFailed {
		panic(fmt.Sprint(res, err))
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
						if res.Outcome != delivery.Succeeded {
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

func accept(t *testing.T, s *scene, res step.Result) {
	t.Helper()
	var d step.Deployed
	if err := json.Unmarshal(res.Output, &d); err != nil {
		t.Fatal(err)
	}
	if err := s.Ledger.Accept(t.Context(), d.Deployment, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// undone rolls back a deployment that was killed at a call and not resumed; the
// rollback is killed too, at every one of its calls in turn.
func undone(t *testing.T, at int, after, served bool) {
	for n := 1; ; n++ {
		killed := false
		synctest.Test(t, func(t *testing.T) {
			s := newScene(served)
			s.Burn(fake.NewFuse(at, after))
			fake.Survive(func() { _, _ = s.deploy().Run(t.Context(), s.promotion()) })
			s.Burn(nil)
			begun, _, _ := probe.Begun(t.Context(), s.Ledger, s.promotion())
			var res step.Result
			res, killed = s.until(t, s.rollback(), s.undoing(false), fake.NewFuse(n, !after))
			want := delivery.Succeeded
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
func TestForwardKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at, killed := 1, true; killed; at++ {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(true)
				s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
				r := s.ask(step.DeployWith{Release: s.old.ID, Why: "prices are wrong"})
				r.Spec.Kind, r.Spec.Name = step.Rollback, "rollback"
				var res step.Result
				res, killed = s.until(t, s.rollback(), r, fake.NewFuse(at, after))
				if res.Outcome != delivery.Succeeded {
					t.Fatalf("%+v", res)
				}
				s.truth(t, s.old.ID, s.fresh.ID)
				now, _ := s.Ledger.Release(t.Context(), s.fresh.ID)
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

// TestForwardFails goes back to a release that is sick: what served stays, with
// the engine's undo and without.
func TestForwardFails(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(true)
			s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
			s.Prober.Answer = func(id delivery.ReleaseID, _ string, _ port.Question) (port.Reply, bool, error) {
				return fake.Health("broken", id, s.old.Release.Model), id == s.old.ID, nil
			}
			r := s.ask(step.DeployWith{Release: s.old.ID})
			r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
			res, err := s.rollback().Run(t.Context(), r)
			if err != nil || res.Outcome != delivery.OutcomeFailed || !strings.Contains(res.Cause, `status is "broken"`) {
				t.Fatalf("%+v, %v", res, err)
			}
			if undo != "" {
				r.Cause = res.Cause
				if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.Succeeded {
					t.Fatalf("%+v, %v", res, err)
				}
			}
			s.truth(t, s.fresh.ID, s.old.ID)
		})
	}
}

// TestForwardStopped stops it while the old release is being asked.
func TestForwardStopped(t *testing.T) {
	for _, undo := range []step.Kind{step.Rollback, ""} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(true)
			s.Serve(env, "20260101-010000-cccc", s.fresh, time.Now())
			why := errors.New("stopped by ann")
			ctx, cancel := context.WithCancelCause(t.Context())
			s.Prober.Answer = func(id delivery.ReleaseID, _ string, _ port.Question) (port.Reply, bool, error) {
				if id == s.old.ID {
					cancel(why)
				}
				return port.Reply{}, false, nil
			}
			r := s.ask(step.DeployWith{Release: s.old.ID})
			r.Spec.Kind, r.Spec.Undo = step.Rollback, undo
			if _, err := s.rollback().Run(ctx, r); !errors.Is(err, why) {
				t.Fatal(err)
			}
			if undo != "" {
				r.Cause, r.Cancelled = why.Error(), true
				if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.Succeeded {
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
	r := s.ask(step.DeployWith{Release: s.old.ID})
	res, err := s.rollback().Run(t.Context(), r)
	var d step.Deployed
	_ = json.Unmarshal(res.Output, &d)
	if err != nil || !d.Already {
		t.Errorf("%+v, %v", res, err)
	}
	_ = s.Ledger.Quarantine(t.Context(), delivery.Quarantine{Release: s.fresh.ID, Reason: "bad"})
	if _, err := s.rollback().Run(t.Context(), s.promotion()); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
}

// TestStuck lets the target refuse to bring the old release back.
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
			string(s.fresh.ID) + " to " + string(s.old.ID), "try 1: start " + string(s.old.ID) + ": no memory left", "try 3: the same",
			"now " + string(s.fresh.ID) + " has the traffic at " + fake.Stable(env) + ", 1 of 1 replicas ready",
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
		if res, err = s.rollback().Run(t.Context(), s.undoing(false)); err != nil || res.Outcome != delivery.Succeeded {
			t.Errorf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
	})
}

// TestTroubleThatHeals fails each call of the target once.
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
			if err != nil || res.Outcome != delivery.Succeeded || !failed {
				t.Errorf("%s: %+v, %v", method, res, err)
			}
			s.truth(t, s.old.ID, s.fresh.ID)
		})
	}
}

// TestRestoredReleaseHasToAnswer keeps the old release silent: a rollback that
// was not verified has not worked.
func TestRestoredReleaseHasToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		s.Prober.Answer = func(id delivery.ReleaseID, _ string, _ port.Question) (port.Reply, bool, error) {
			return port.Reply{}, false, fault.New(fault.Unavailable, "refused")
		}
		res, err := s.rollback().Run(t.Context(), s.undoing(false))
		if err != nil || res.Outcome != delivery.OutcomeFailed || s.state(t) != delivery.Stuck {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// TestStoppedRollbackGoesOn stops it by its context: that is no verdict.
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
		if res, err := s.rollback().Run(t.Context(), s.undoing(false)); err != nil || res.Outcome != delivery.Succeeded {
			t.Errorf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
	})
}

// TestSmokeChecksOfTheNewDoNotHoldBackTheOld: the old release does not know the
// new request, and is restored all the same.
func TestSmokeChecksOfTheNewDoNotHoldBackTheOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(true)
		whole(s)
		r := s.ask(step.DeployWith{Release: s.fresh.ID, Checks: []step.Check{{Name: "v2", Path: "/v2", Status: 200}}})
		r.Cause = "bad"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.Succeeded {
			t.Fatalf("%+v, %v", res, err)
		}
		s.truth(t, s.old.ID, s.fresh.ID)
		told := slices.ContainsFunc(s.events, func(e event.Event) bool { return e.Answer != nil && e.Answer.Gate == "smoke: v2" })
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
		r := s.ask(step.DeployWith{Release: s.old.ID})
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeFailed {
			t.Fatalf("%+v, %v", res, err)
		}
		s.Target.Lost = nil
		r.Cause = "lost"
		if res, err := s.rollback().Run(t.Context(), r); err != nil || res.Outcome != delivery.Succeeded {
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
	r.Spec.With = json.RawMessage(`{"target":"moon"}`)
	_, err := s.rollback().Run(t.Context(), r)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "local") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}
