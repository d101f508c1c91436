package deploy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/step/history"
)

// drifting is a target whose live objects differ from the record until it promotes.
type drifting struct {
	*fake.Target
	found  []port.Drift
	locked bool
}

// Lock implements port.Locker.
func (t *drifting) Lock(context.Context, port.DeployRequest, func(string)) error {
	t.locked = true
	return nil
}

// Unlock implements port.Locker.
func (t *drifting) Unlock(context.Context, port.DeployRequest) error {
	t.locked = false
	return nil
}

// Drift implements port.DriftReporter.
func (t *drifting) Drift(context.Context, port.DeployRequest) ([]port.Drift, error) {
	return t.found, nil
}

// TestRun_RepairsDrift: what is deployed already is deployed again if it differs from
// the record, and the history says why.
func TestRun_RepairsDrift(t *testing.T) {
	for _, c := range []struct {
		name  string
		found []port.Drift
	}{
		{"as recorded", nil},
		{"missing", []port.Drift{{Kind: "Service", Name: "api", Missing: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := fake.NewEnvironment()
				deployed := w.Release(2)
				w.Serve(env, "20260101-000000-aaaa", deployed, time.Now())
				r := request(step.DeployParams{Release: deployed.ID, Workload: delivery.Workload{Health: "/health"}})
				s := newStep(w)
				s.Targets = port.Targets{"local": &drifting{Target: w.Target, found: c.found}}
				res, err := s.Run(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				d := outputOf(t, res)
				if d.Release != deployed.ID || d.AlreadyDeployed != (len(c.found) == 0) {
					t.Errorf("output = %+v, want %s, already deployed: %v", d, deployed.ID, len(c.found) == 0)
				}
				latest, ok, err := history.DeploymentOfRun(t.Context(), w.Records.Deployments(), r)
				if err != nil || ok != (len(c.found) > 0) || ok && latest.Reason != "repair: Service api is missing" {
					t.Errorf("deployment of the run = %+v, %v, %v", latest, ok, err)
				}
			})
		})
	}
}
