package deploy

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
	"github.com/slipway-cd/slipway/internal/step"
)

// A run that was overtaken while it waited changes nothing, unless a person approved
// that it replaces that very release.
func TestRun_OvertakenWhileWaiting(t *testing.T) {
	const newer = delivery.RunID("20260103-000000-cccc")
	down := errors.New("disk")
	for name, c := range map[string]struct {
		overtaken func(context.Context, delivery.Deployment) (string, error)
		approval  port.Approval
		begun     bool // this run's deployment, before a crash
		wantErr   string
	}{
		"not overtaken":  {overtaken: func(context.Context, delivery.Deployment) (string, error) { return "", nil }},
		"no way to tell": {},
		"overtaken":      {overtaken: byRun(newer), wantErr: "run 20260102-000000-bbbb was overtaken by run " + string(newer)},
		"approved": {
			overtaken: byRun(newer), approval: port.Approval{Subject: port.ApproveOlder(newer), Approved: true},
		},
		"approved before another overtook it": {
			overtaken: byRun(newer), approval: port.Approval{Subject: port.ApproveOlder("20260102-120000-dddd"), Approved: true}, wantErr: "was overtaken",
		},
		"approved to deploy": {
			overtaken: byRun(newer), approval: port.Approval{Subject: port.ApproveDeploy, Approved: true}, wantErr: "was overtaken",
		},
		"begun before a crash": {overtaken: byRun(newer), begun: true},
		"unknown": {
			overtaken: func(context.Context, delivery.Deployment) (string, error) { return "", down }, wantErr: "disk",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				w.Serve(env, newer, w.Release(1), time.Now())
				r := request(step.DeployParams{Workload: delivery.Workload{Replicas: 1, Health: "/health"}})
				r.Inputs, r.Overtaken = pipelineOutputs(*w.Release(2).Release.Model), c.overtaken
				s := newStep(w)
				s.Approvals = w.Records.Approvals()
				if c.approval.Subject != "" {
					c.approval.Run, c.approval.By = r.Run, delivery.Actor{Name: "ann"}
					_ = s.Approvals.Record(t.Context(), c.approval)
				}
				if c.begun {
					_, _ = s.Deployments.Begin(t.Context(), delivery.Deployment{Environment: env, Run: r.Run, Release: w.Release(2).ID})
				}
				w.Target.Calls = nil
				res, err := s.Run(t.Context(), r)
				if c.wantErr == "" {
					if err != nil || res.Outcome != delivery.OutcomeSucceeded {
						t.Errorf("outcome = %s, %v, want %s", res.Outcome, err, delivery.OutcomeSucceeded)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("error = %v, want %q", err, c.wantErr)
				}
				if c.wantErr != "disk" && (!fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), "prod was not changed")) {
					t.Errorf("kind %s, hint %q", fault.KindOf(err), fault.HintOf(err))
				}
				if calls := strings.Join(w.Target.Calls, " "); strings.Contains(calls, "Stage") {
					t.Errorf("calls of the target = %q, want nothing staged", calls)
				}
				if h, _, _ := w.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{}); len(h) != 1 {
					t.Errorf("deployments = %+v, want no new one", h)
				}
			})
		})
	}
}

func byRun(delivery.RunID) func(context.Context, delivery.Deployment) (string, error) {
	return func(_ context.Context, current delivery.Deployment) (string, error) {
		return "run " + string(current.Run), nil
	}
}
