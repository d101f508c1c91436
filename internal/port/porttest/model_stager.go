package porttest

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelStagerFixture is a registry that shows stages, empty at first.
type ModelStagerFixture struct {
	Registry port.ModelRegistry
	// Shown returns what the registry shows of a version: its environment and the state
	// there, in the registry's own words; "" for none.
	Shown func(version int) (environment, state string)
}

// TestModelStager holds a registry to port.ModelStager.
func TestModelStager(t *testing.T, fresh func(t *testing.T) ModelStagerFixture) {
	f := fresh(t)
	stager, ok := f.Registry.(port.ModelStager)
	if !ok {
		t.Fatalf("%T is not a port.ModelStager", f.Registry)
	}
	v := register(t, f.Registry, "retail", "a")
	approved, err := f.Registry.Decide(t.Context(), v.ModelRef, decisionOf(delivery.Approved, "ana", "good"))
	must(t, approved, err)
	seen := map[string]bool{}
	for _, state := range []delivery.DeploymentState{delivery.Deploying, delivery.Serving, delivery.Replaced, delivery.RolledBack} {
		s := port.ModelStage{Environment: "prod", State: state, Release: "r-1", Why: "because"}
		for range 2 {
			if err := stager.SetStage(t.Context(), v.ModelRef, s); err != nil {
				t.Fatal(err)
			}
		}
		env, shown := f.Shown(v.Version)
		if env != "prod" || shown == "" || seen[shown] {
			t.Errorf("%s is shown as %q in %q, want a different word for each state, in prod", state, shown, env)
		}
		seen[shown] = true
	}
	got, err := f.Registry.Get(t.Context(), "retail", v.Version)
	wantEqual(t, "the version, which no stage changes", must(t, got, err), approved)
	mistaken := v.ModelRef
	mistaken.Digest = repeatedDigest("f")
	serving := port.ModelStage{Environment: "prod", State: delivery.Serving}
	wantFault(t, "another digest", stager.SetStage(t.Context(), mistaken, serving), fault.Conflict)
	mistaken.Version += 8
	wantFault(t, "unknown version", stager.SetStage(t.Context(), mistaken, serving), fault.NotFound)
}
