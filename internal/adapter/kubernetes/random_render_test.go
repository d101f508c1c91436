package kubernetes

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/randommanifests"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestRender_RandomManifests: every set that can be drawn can be rendered, to the same
// text each time, and gives the objects of a release.
func TestRender_RandomManifests(t *testing.T) {
	image := delivery.Image{Repository: "sample", Digest: delivery.DigestOf([]byte("sample"))}
	target, random := New(Config{}), rand.New(rand.NewPCG(1, 1))
	set := randommanifests.First()
	for n := range 100 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(set.YAML(image.Repository, "registry.test")), 0o600); err != nil {
			t.Fatal(err)
		}
		m := port.Manifests{Service: "sample", Dir: dir, Paths: []string{"all.yaml"}, Image: image}
		out, err := target.Render(t.Context(), m)
		if err != nil {
			t.Fatalf("%s: %v\n%s", set.Version, err, set.YAML(image.Repository, "registry.test"))
		}
		again, err := target.Render(t.Context(), m)
		if err != nil || again.Objects != out.Objects {
			t.Fatalf("%s: rendered once more (%v):\n%s\nwant\n%s", set.Version, err, again.Objects, out.Objects)
		}
		o := port.DeployRequest{
			Service: "sample", Environment: "test", ID: "r-1",
			Release: delivery.Release{Schema: 1, Service: "sample", Image: image, Objects: out.Objects, Manifests: out.Digest()},
		}
		made, err := manifest.New(o, target.manifestOptions(o, "ns"))
		if err != nil {
			t.Fatalf("%s: %v\n%s", set.Version, err, set.YAML(image.Repository, "registry.test"))
		}
		if len(made.Services) != 1 || len(made.Workloads) != 1+len(set.Workers) {
			t.Errorf("%s: %d Services, %d workloads; want 1, %d", set.Version, len(made.Services), len(made.Workloads), 1+len(set.Workers))
		}
		if !strings.Contains(out.Objects, set.Version) {
			t.Errorf("%s is not named by its objects: %s", set.Version, out.Objects)
		}
		set, _ = set.Next(random, n+2)
	}
}
