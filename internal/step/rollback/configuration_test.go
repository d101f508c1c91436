package rollback_test

import (
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
