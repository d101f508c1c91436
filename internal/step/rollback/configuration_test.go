package rollback_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// TestForward_RestoresConfiguration: a release comes back with the overrides and the
// commit that it had; one that was never there gets those of the environment.
func TestForward_RestoresConfiguration(t *testing.T) {
	two := 2
	debug := delivery.Overrides{Env: map[string]string{"LEVEL": "debug"}, Replicas: &two}
	for _, c := range []struct {
		name    string
		before  bool   // the release was deployed in the environment, with overrides
		objects string // of the release
		want    fault.Kind
	}{
		{name: "deployed before", before: true},
		{name: "never deployed there"},
		{name: "never deployed there, and rendered", objects: "[]", want: fault.Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture(false)
				content := s.oldRelease.Release
				content.Objects, content.Manifests = c.objects, delivery.DigestOf([]byte(c.objects))
				rel, err := s.Records.Releases().Save(t.Context(), content, delivery.Origin{Run: firstRun, Commit: "origin"})
				if err != nil {
					t.Fatal(err)
				}
				config := rel.Release.Configuration()
				config.Workload = debug.Apply(config.Workload)
				config.Manifests = config.Workload.Digest()
				want := delivery.Deployment{Release: rel.ID, Config: &config, Commit: "requested"}
				if c.before {
					config.Workload.Replicas = 3
					want.Commit = "first"
					d, err := s.Records.Deployments().Begin(t.Context(), delivery.Deployment{Environment: env, Release: rel.ID, Run: firstRun, Config: &config, Commit: "first"})
					if err != nil {
						t.Fatal(err)
					}
					if err := s.Records.Deployments().Accept(t.Context(), d.ID, time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				s.Serve(env, "20260101-010000-cccc", s.newRelease, time.Now())
				r := s.request(step.RollbackParams{Release: rel.ID, Overrides: debug})
				r.Spec.Kind, r.Commit.SHA = step.Rollback, "requested"
				res, err := s.rollback().Run(t.Context(), r)
				if c.want != "" {
					if !fault.Is(err, c.want) {
						t.Errorf("outcome = %s, error = %v, want %s", res.Outcome, err, c.want)
					}
					return
				}
				if err != nil || res.Outcome != delivery.OutcomeSucceeded {
					t.Fatalf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
				}
				d, _, err := s.Records.Deployments().Current(t.Context(), env)
				if err != nil {
					t.Fatal(err)
				}
				got := delivery.Deployment{Release: d.Release, Config: d.Config, Commit: d.Commit}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("current deployment (-want +got):\n%s", diff)
				}
				if running, _ := s.Target.Running(env); running != d.Instance() {
					t.Errorf("running = %s, want %s", running, d.Instance())
				}
			})
		})
	}
}

// TestUndo_QuarantinesConfiguration: a release that fails with the overrides of its
// environment, where it served without them, stays, and never comes in with them again.
func TestUndo_QuarantinesConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFixture(true)
		small := int64(1 << 20)
		params := step.DeployParams{Release: s.oldRelease.ID, Overrides: delivery.Overrides{Memory: &small}}
		params.Target = "local"
		r := s.request(step.RollbackParams{})
		r.Spec.Params, _ = json.Marshal(params)
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
		}
		undo := s.undoRequest(false)
		if res, err := s.rollback().Run(t.Context(), undo); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Fatalf("undo: outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
		}
		s.wantState(t, s.oldRelease.ID)
		r.Run = "20260103-000000-cccc"
		_, err := s.deploy().Run(t.Context(), r)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), undo.Cause) || !strings.Contains(fault.HintOf(err), "unquarantine "+string(s.oldRelease.ID)+"-") {
			t.Errorf("error = %v (%s), want %s with the cause, and how to unquarantine the configuration", err, fault.HintOf(err), fault.Conflict)
		}
		big := int64(1 << 30)
		params.Overrides.Memory = &big
		r.Spec.Params, _ = json.Marshal(params)
		if res, err := s.deploy().Run(t.Context(), r); err != nil || res.Outcome != delivery.OutcomeSucceeded {
			t.Errorf("with other overrides: outcome = %s (%q), error = %v, want %s", res.Outcome, res.Cause, err, delivery.OutcomeSucceeded)
		}
	})
}
