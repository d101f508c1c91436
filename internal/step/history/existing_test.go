package history

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// importTarget is a target where something serves that no run has deployed.
type importTarget struct {
	*fake.Target
	found   *port.Existing // nil: nothing
	adopted []port.DeployRequest
	fail    error // of Adopt
}

func (t *importTarget) FindExisting(context.Context, port.DeployRequest) (port.Existing, bool, error) {
	if t.found == nil {
		return port.Existing{}, false, nil
	}
	return *t.found, true, nil
}

func (t *importTarget) Adopt(_ context.Context, req port.DeployRequest, _ func(string)) error {
	t.adopted = append(t.adopted, req)
	return t.fail
}

func existing() *port.Existing {
	return &port.Existing{
		Release: delivery.Release{
			Schema: delivery.ReleaseForm, Service: service, Image: delivery.Image{Repository: "example.com/api", Digest: fake.Digest(1)},
			Objects: "[]", Manifests: port.Rendered{Objects: "[]"}.Digest(),
		},
		Since:   time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC),
		Objects: []port.ExistingObject{{Kind: "Deployment", Name: "api", Managers: []string{"kubectl-edit"}}},
	}
}

var (
	importTime = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	first      = port.DeployRequest{Service: service, Environment: env, ID: "r-new", Run: "20260102-000000-aaaa", Secrets: []port.Secret{{Name: "new"}}}
)

func importInto(t *testing.T, w *fake.Environment, target port.Target) (delivery.Deployment, bool, error) {
	t.Helper()
	return records(w).Import(t.Context(), target, first, delivery.Actor{Name: "ann"}, importTime, func(string) {})
}

// TestImport_RecordsBeforeItAdopts: release 0 is the current one, of no run that there is.
func TestImport_RecordsBeforeItAdopts(t *testing.T) {
	w, target := fake.NewEnvironment(), &importTarget{Target: new(fake.Target), found: existing()}
	d, ok, err := importInto(t, w, target)
	if err != nil || !ok {
		t.Fatalf("Import = %t, %v", ok, err)
	}
	current, ok, err := w.Records.Deployments().Current(t.Context(), env)
	if err != nil || !ok || current.ID != d.ID || current.Run == first.Run || !current.Run.Valid() || !current.ServingAt.Equal(importTime) || current.By != "ann" || !strings.Contains(current.Reason, "kubectl-edit") {
		t.Errorf("current = %+v, %t, %v, want release 0, of a run of its own", current, ok, err)
	}
	rel, err := w.Records.Releases().Get(t.Context(), d.Release)
	if err != nil || !rel.Origin.Imported {
		t.Errorf("release 0 = %+v, %v, want it marked as imported", rel, err)
	}
	if len(target.adopted) != 1 || target.adopted[0].ID != d.Release || target.adopted[0].Run != first.Run || target.adopted[0].Secrets != nil {
		t.Errorf("adopted = %+v, want release 0 once, for the run that asked", target.adopted)
	}
}

// TestImport_GoesOn: an import that was interrupted is neither recorded twice nor looked
// for again; its objects have changed by then.
func TestImport_GoesOn(t *testing.T) {
	w, target := fake.NewEnvironment(), &importTarget{Target: new(fake.Target), found: existing(), fail: errors.New("killed")}
	if _, _, err := importInto(t, w, target); !errors.Is(err, target.fail) {
		t.Fatalf("Import = %v, want %v", err, target.fail)
	}
	target.fail, target.found = nil, nil
	d, ok, err := importInto(t, w, target)
	if err != nil || !ok || len(target.adopted) != 2 || target.adopted[1].ID != target.adopted[0].ID || d.Release != target.adopted[0].ID {
		t.Errorf("second Import = %+v, %t, %v with %d adoptions, want the same release adopted", d, ok, err, len(target.adopted))
	}
	all, _, err := w.Records.Deployments().List(t.Context(), port.DeploymentFilter{Environment: env}, port.Page{})
	if err != nil || len(all) != 1 {
		t.Errorf("deployments = %+v, %v, want one", all, err)
	}
}

func TestImport_LeavesAlone(t *testing.T) {
	t.Run("a target that is no importer", func(t *testing.T) {
		if _, ok, err := importInto(t, fake.NewEnvironment(), new(fake.Target)); ok || err != nil {
			t.Errorf("Import = %t, %v, want nothing", ok, err)
		}
	})
	t.Run("nothing serves", func(t *testing.T) {
		if _, ok, err := importInto(t, fake.NewEnvironment(), &importTarget{Target: new(fake.Target)}); ok || err != nil {
			t.Errorf("Import = %t, %v, want nothing", ok, err)
		}
	})
	t.Run("a run has deployed", func(t *testing.T) {
		w, target := fake.NewEnvironment(), &importTarget{Target: new(fake.Target), found: existing()}
		deployed(t, w, 1, 0)
		if _, ok, err := importInto(t, w, target); ok || err != nil || len(target.adopted) > 0 {
			t.Errorf("Import = %t, %v, adopted %v, want nothing", ok, err, target.adopted)
		}
	})
	t.Run("what serves is quarantined", func(t *testing.T) {
		w, target := fake.NewEnvironment(), &importTarget{Target: new(fake.Target), found: existing()}
		rel, err := w.Records.Releases().Save(t.Context(), target.found.Release, delivery.Origin{Run: "r"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Records.Releases().Quarantine(t.Context(), delivery.Quarantine{Release: rel.ID, Environment: env, Reason: "it was bad"}); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := importInto(t, w, target); ok || !fault.Is(err, fault.Conflict) || len(target.adopted) > 0 {
			t.Errorf("Import = %t, %v, want %s", ok, err, fault.Conflict)
		}
	})
}
