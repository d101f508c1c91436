package porttest

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ModelLocatorFixture is a registry from which services load their models, empty at
// first.
type ModelLocatorFixture struct {
	Registry port.ModelRegistry
	// Store stores the files of a model that differ by seed, and returns their digest.
	Store func(t *testing.T, seed int) delivery.Digest
	// Overwrite replaces the files at a location, as somebody else may.
	Overwrite func(t *testing.T, l port.ModelLocation)
}

// TestModelLocator holds a registry to port.ModelLocator.
func TestModelLocator(t *testing.T, fresh func(t *testing.T) ModelLocatorFixture) {
	f := fresh(t)
	locator, ok := f.Registry.(port.ModelLocator)
	if !ok {
		t.Fatalf("%T is not a port.ModelLocator", f.Registry)
	}
	var found []port.ModelLocation
	var refs []delivery.ModelRef
	for seed := range 2 {
		v, err := f.Registry.Register(t.Context(), "retail", f.Store(t, seed), delivery.Metrics{"accuracy": 0.9}, delivery.Lineage{Commit: "c"})
		must(t, v, err)
		first, err := locator.Locate(t.Context(), v.ModelRef)
		must(t, first, err)
		again, err := locator.Locate(t.Context(), v.ModelRef)
		wantEqual(t, "the same version again", must(t, again, err), first)
		if first.Name == "" || first.URL == "" || (first.Version == "") == (first.ETag == "") {
			t.Errorf("%s is at %+v, want a name, and one of version and ETag", v.ModelRef, first)
		}
		found, refs = append(found, first), append(refs, v.ModelRef)
	}
	if found[0].Name == found[1].Name || found[0].URL == found[1].URL {
		t.Errorf("two versions are at %+v", found)
	}
	mistaken := refs[0]
	mistaken.Digest = repeatedDigest("f")
	_, err := locator.Locate(t.Context(), mistaken)
	wantFault(t, "another digest", err, fault.Conflict)
	mistaken.Version += 8
	_, err = locator.Locate(t.Context(), mistaken)
	wantFault(t, "unknown version", err, fault.NotFound)
	f.Overwrite(t, found[0])
	_, err = locator.Locate(t.Context(), refs[0])
	wantFault(t, "files that were replaced", err, fault.Corrupt)
	now, err := locator.Locate(t.Context(), refs[1])
	wantEqual(t, "the other version", must(t, now, err), found[1])
}
