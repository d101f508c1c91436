package deploy

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/history"
	"github.com/slipway-cd/slipway/internal/step/rollback"
)

// TestRun_FailedRepair: a repair that fails, in the deploy step or in one after it, ends
// as a failed run. What serves is neither quarantined nor deployed once more.
func TestRun_FailedRepair(t *testing.T) {
	const cause = "deploy: smoke: predict failed"
	unhealthy := func(w *fake.Environment) {
		w.Prober.Respond = func(delivery.ReleaseID, string, port.ProbeRequest) (port.ProbeResponse, bool, error) {
			return port.ProbeResponse{Status: 500, Body: []byte("DB_URL is not set")}, true, nil
		}
	}
	for _, c := range []struct {
		name      string
		harm      func(*fake.Environment)
		deploys   bool // the step itself succeeds, a later one fails
		cancelled bool
		want      delivery.DeploymentState
	}{
		{name: "its checks fail", harm: unhealthy, want: delivery.Stuck},
		{name: "a later check fails", harm: func(*fake.Environment) {}, deploys: true, want: delivery.Stuck},
		{name: "it can't be staged", harm: func(w *fake.Environment) {
			w.Target.Fail = func(method string, _ delivery.ReleaseID) error {
				if method == "Stage" {
					return fault.New(fault.Failed, "the quota of pods is used up")
				}
				return nil
			}
		}, want: delivery.Stuck},
		{name: "it is cancelled", harm: unhealthy, cancelled: true, want: delivery.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				deployed := w.Release(2)
				w.Serve(env, "20260101-000000-aaaa", deployed, time.Now())
				c.harm(w)
				r := request(step.DeployParams{Release: deployed.ID, Workload: delivery.Workload{Health: "/health"}})
				s := newStep(w)
				target := &drifting{Target: w.Target, found: []port.Drift{{Kind: "Service", Name: "api", Missing: true}}}
				s.Targets = port.Targets{"local": target}
				res, err := s.Run(t.Context(), r)
				if ok := res.Outcome == delivery.OutcomeSucceeded; err != nil || ok != c.deploys || !target.locked {
					t.Fatalf("outcome = %s (%s), error = %v, locked: %v; want success: %v, and the environment locked", res.Outcome, res.Cause, err, target.locked, c.deploys)
				}
				w.Target.Calls = nil
				r.Cause, r.Cancelled = cause, c.cancelled
				for attempt := range 2 { // repeated after a crash
					undone, err := rollback.Step{Services: s.Services}.Run(t.Context(), r)
					if err != nil || undone.Outcome != delivery.OutcomeSkipped {
						t.Fatalf("undo %d: outcome = %s (%s), error = %v, want it skipped", attempt, undone.Outcome, undone.Cause, err)
					}
					want := string(deployed.ID) + " receives the traffic at "
					if !strings.Contains(undone.Cause, want) || !strings.Contains(undone.Cause, "neither rolled back nor quarantined") || undone.Hint == "" {
						t.Errorf("undo %d: cause = %q, hint = %q; want what serves, and a hint", attempt, undone.Cause, undone.Hint)
					}
					if attempt == 0 && !strings.Contains(undone.Cause, "to repair "+string(deployed.ID)+" in prod: Service api is missing") {
						t.Errorf("cause = %q, want what was tried", undone.Cause)
					}
				}
				if target.locked {
					t.Error("the environment is still locked")
				}
				checkKept(t, w, r, deployed, c.want)
			})
		})
	}
}

// checkKept checks that a release serves as before a repair that failed.
func checkKept(t *testing.T, w *fake.Environment, r step.Request, kept delivery.ReleaseRecord, want delivery.DeploymentState) {
	t.Helper()
	if slices.ContainsFunc(w.Target.Calls, func(call string) bool {
		method, _, _ := strings.Cut(call, " ")
		return slices.Contains([]string{"Stage", "Promote", "Discard", "Finalize", "Remove"}, method)
	}) {
		t.Errorf("calls = %q, want nothing changed", w.Target.Calls)
	}
	if serving, _ := w.Target.Running(env); serving != kept.ID {
		t.Errorf("%s has the traffic, want %s", serving, kept.ID)
	}
	now, err := w.Records.Releases().Get(t.Context(), kept.ID)
	if err != nil || now.Quarantined != nil {
		t.Errorf("quarantine = %+v, error = %v, want none", now.Quarantined, err)
	}
	current, ok, err := w.Records.Deployments().Current(t.Context(), env)
	if err != nil || !ok || current.Release != kept.ID || current.Run == r.Run {
		t.Errorf("current = %+v, %v, %v; want the deployment of before", current, ok, err)
	}
	tried, ok, err := history.DeploymentOfRun(t.Context(), w.Records.Deployments(), r)
	if err != nil || !ok || tried.State != want || tried.EndedAt.IsZero() {
		t.Errorf("deployment of the run = %+v, %v, %v; want it %s", tried, ok, err, want)
	}
}
