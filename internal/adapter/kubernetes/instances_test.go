package kubernetes

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestInstancesOf_ListsOverrides: a release that ran with and without overrides is
// there twice, each time with the objects that ran.
func TestInstancesOf_ListsOverrides(t *testing.T) {
	config := &delivery.Configuration{Objects: `[{"kind":"Other"}]`}
	rel := delivery.ReleaseRecord{ID: "r-0123456789ab", Release: delivery.Release{Objects: "[]"}}
	h := port.History{Releases: []delivery.ReleaseRecord{rel}, Deployments: []delivery.Deployment{
		{Release: rel.ID, Run: "c", Config: config}, {Release: rel.ID, Run: "b", Config: config, ServingAt: time.Unix(1, 0)}, {Release: rel.ID, Run: "a"},
	}}
	got := map[delivery.ReleaseID]string{}
	for _, i := range instancesOf(h) {
		got[i.name] = i.release.Objects
	}
	want := map[delivery.ReleaseID]string{rel.ID: "[]", rel.ID.With(config): config.Objects}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects by name (-want +got):\n%s", diff)
	}
	if wasAccepted(h, rel.ID) || !wasAccepted(h, rel.ID.With(config)) {
		t.Error("want only the release with overrides accepted")
	}
}
