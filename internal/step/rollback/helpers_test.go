package rollback_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/deploy"
	"github.com/slipway-cd/slipway/internal/step/rollback"
	"github.com/slipway-cd/slipway/internal/step/rollout"
)

const (
	env      = delivery.Environment("prod")
	firstRun = delivery.RunID("20260101-000000-aaaa")
	thisRun  = delivery.RunID("20260102-000000-bbbb")
)

// fixture is a world in which release old serves and new is to come.
type fixture struct {
	*fake.Environment
	oldRelease, newRelease delivery.ReleaseRecord
	events                 []event.Event
}

func newFixture(served bool) *fixture {
	s := &fixture{Environment: fake.NewEnvironment()}
	s.oldRelease, s.newRelease = s.Release(1), s.Release(2)
	if served {
		s.Serve(env, firstRun, s.oldRelease, time.Now())
	}
	return s
}

func (s *fixture) services() rollout.Services {
	return rollout.Services{
		Targets: port.Targets{"local": s.Target}, Prober: s.Prober,
		Releases: s.Records.Releases(), Deployments: s.Records.Deployments(), Models: s.Records.Models(),
	}
}

func (s *fixture) deploy() deploy.Step { return deploy.Step{Services: s.services()} }

func (s *fixture) rollback() rollback.Step {
	services := s.services()
	services.Models = nil
	return rollback.Step{Services: services}
}

func (s *fixture) request(w step.RollbackParams) step.Request {
	w.Target = "local"
	with, _ := json.Marshal(w)
	return step.Request{
		Run: thisRun, Service: "api", Environment: env, StartedBy: delivery.Actor{Name: "bob"}, Attempt: 1,
		Spec: step.Spec{Name: "deploy", Kind: step.Deploy, Params: with, Undo: step.Rollback},
		Emit: func(e event.Event) { s.events = append(s.events, e) },
	}
}

func (s *fixture) promotion() step.Request {
	return s.request(step.RollbackParams{Release: s.newRelease.ID})
}

func (s *fixture) undoRequest(cancelled bool) step.Request {
	r := s.promotion()
	r.Cause, r.Cancelled = "verify: it was wrong", cancelled
	return r
}

func (s *fixture) wantState(t *testing.T, want delivery.ReleaseID, quarantined ...delivery.ReleaseID) {
	t.Helper()
	s.SetFuse(nil)
	serving, all := s.Target.Running(env)
	if serving != want || want != "" && len(all) != 1 || want == "" && len(all) != 0 {
		t.Errorf("%q receives the traffic and %v run, want %q alone", serving, all, want)
	}
	d, ok, _ := s.Records.Deployments().Current(t.Context(), env)
	if d.Release != want || ok != (want != "") {
		t.Errorf("recorded as deployed: %q (found: %v), want %q", d.Release, ok, want)
	}
	history, _, _ := s.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{})
	for _, h := range history {
		if h.State == delivery.Deploying {
			t.Errorf("state of deployment %d of %s = %s, want a final one", h.ID, h.Release, h.State)
		}
	}
	for _, rel := range []delivery.ReleaseRecord{s.oldRelease, s.newRelease} {
		now, _ := s.Records.Releases().Get(t.Context(), rel.ID)
		if out := slices.Contains(quarantined, rel.ID); out != (now.Quarantined != nil) {
			t.Errorf("quarantine of %s is %v, want %v", rel.ID, now.Quarantined, out)
		}
	}
}

func (s *fixture) deploymentState(t *testing.T) delivery.DeploymentState {
	t.Helper()
	history, _, err := s.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{Limit: 1})
	if err != nil || len(history) == 0 {
		t.Fatalf("%d deployments, error = %v, want one", len(history), err)
	}
	return history[0].State
}

func (s *fixture) runKilled(t *testing.T, st step.Step, r step.Request, fuse *fake.Fuse) (res step.Result, killed bool) {
	t.Helper()
	s.SetFuse(fuse)
	var err error
	killed = fake.Survive(func() { res, err = st.Run(t.Context(), r) })
	s.SetFuse(nil)
	if killed {
		res, err = st.Run(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return res, killed
}

func (s *fixture) wantUndone(t *testing.T, serves, out bool) {
	t.Helper()
	var want delivery.ReleaseID
	if serves {
		want = s.oldRelease.ID
	}
	if out {
		s.wantState(t, want, s.newRelease.ID)
		return
	}
	s.wantState(t, want)
}

func deployed(s *fixture) {
	if res, err := s.deploy().Run(context.Background(), s.promotion()); err != nil || res.Outcome != delivery.OutcomeSucceeded {
		panic(fmt.Sprint(res, err))
	}
}

func deployedUnhealthy(s *fixture) {
	s.Prober.Respond = func(id delivery.ReleaseID, _ string, _ port.ProbeRequest) (port.ProbeResponse, bool, error) {
		return port.ProbeResponse{Status: 500}, id == s.newRelease.ID, nil
	}
	res, err := s.deploy().Run(context.Background(), s.promotion())
	if err != nil || res.Outcome != delivery.OutcomeFailed {
		panic(fmt.Sprint(res, err))
	}
}

func accept(t *testing.T, s *fixture, res step.Result) {
	t.Helper()
	var d step.DeployOutput
	if err := json.Unmarshal(res.Output, &d); err != nil {
		t.Fatal(err)
	}
	if err := s.Records.Deployments().Accept(t.Context(), d.Deployment, time.Now()); err != nil {
		t.Fatal(err)
	}
}
