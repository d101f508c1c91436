package porttest

import (
	"fmt"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestModelImporter holds a registry to port.ModelImporter. fresh is that of
// TestModels.
func TestModelImporter(t *testing.T, fresh func(t *testing.T) (open func() port.ModelRegistry)) {
	t.Run("numbers", func(t *testing.T) { testModelNumbers(t, fresh(t)) })
	t.Run("import", func(t *testing.T) { testImport(t, fresh(t)()) })
	t.Run("unsigned", func(t *testing.T) { testUnsignedModel(t, fresh(t)()) })
}

func importer(t *testing.T, m port.ModelRegistry) port.ModelImporter {
	t.Helper()
	i, ok := m.(port.ModelImporter)
	if !ok {
		t.Fatalf("%T is not a port.ModelImporter", m)
	}
	return i
}

// testModelNumbers wants versions to count from 1 without gaps.
func testModelNumbers(t *testing.T, open func() port.ModelRegistry) {
	wantEqual(t, "the first of a group", register(t, open(), "fraud", "a").Version, 1)
	const n = 24
	versions := make([]int, n)
	concurrently(t, n, []port.ModelRegistry{open(), open()}, func(m port.ModelRegistry, i int) error {
		v, err := m.Register(t.Context(), "retail", delivery.Digest(fmt.Sprintf("sha256:%064x", i/2)), nil, delivery.Lineage{})
		versions[i] = v.Version
		return err
	})
	given := map[int]int{}
	for _, v := range versions {
		given[v]++
	}
	for v := 1; v <= n/2; v++ {
		if given[v] != 2 {
			t.Errorf("version %d was given %d times, want 2 (%v)", v, given[v], given)
		}
	}
}

func testImport(t *testing.T, m port.ModelRegistry) {
	first := register(t, m, "retail", "a")
	foreign := delivery.ModelVersion{
		ModelRef: delivery.ModelRef{Group: "retail", Version: 7, Digest: repeatedDigest("f")}, Status: delivery.Approved,
		Metrics: delivery.Metrics{"accuracy": 0.8}, Lineage: delivery.Lineage{Commit: "abc", Unknown: unknownFields}, CreatedAt: minute(1),
		DecidedBy: "ann", DecidedActor: actorOf("ann"), DecidedAt: minute(2), Why: "good", Unknown: unknownFields,
	}
	for range 2 {
		if err := importer(t, m).Import(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Get(t.Context(), "retail", 7)
	wantEqual(t, "imported", must(t, got, err), foreign)
	for _, step := range []struct {
		name         string
		status       delivery.ModelStatus
		at           int
		wantImported bool
	}{
		{"revoked before it was approved", delivery.Rejected, 1, false},
		{"revoked", delivery.Rejected, 3, true},
		{"rejected again", delivery.Rejected, 4, false},
		{"approved before it was revoked", delivery.Approved, 2, false},
		{"no decision", delivery.PendingApproval, 5, false},
	} {
		t.Run(step.name, func(t *testing.T) {
			want, err := m.Get(t.Context(), "retail", 7)
			must(t, want, err)
			later := foreign
			later.Status, later.DecidedBy, later.DecidedActor, later.DecidedAt, later.Why = step.status, "cy", actorOf("cy"), minute(step.at), step.name
			if err := importer(t, m).Import(t.Context(), later); err != nil {
				t.Fatal(err)
			}
			if step.wantImported {
				want = later
			}
			got, err := m.Get(t.Context(), "retail", 7)
			wantEqual(t, "version", must(t, got, err), want)
		})
	}
	decisions, err := m.Decisions(t.Context(), "retail", 7)
	wantEqual(t, "decisions", must(t, decisions, err), []delivery.ModelDecision{
		{Status: delivery.Approved, Revises: delivery.PendingApproval, By: actorOf("ann"), Why: "good", At: minute(2)},
		{Status: delivery.Rejected, Revises: delivery.Approved, By: actorOf("cy"), Why: "revoked", At: minute(3)},
	})
	for name, ref := range map[string]delivery.ModelRef{
		"a number of other content":   {Group: "retail", Version: 7, Digest: repeatedDigest("e")},
		"content with another number": {Group: "retail", Version: 9, Digest: first.Digest},
	} {
		t.Run(name, func(t *testing.T) {
			other := foreign
			other.ModelRef = ref
			wantFault(t, "import "+ref.String(), importer(t, m).Import(t.Context(), other), fault.Conflict)
		})
	}
	wantFault(t, "import no version", importer(t, m).Import(t.Context(), delivery.ModelVersion{}), fault.Invalid)
}
