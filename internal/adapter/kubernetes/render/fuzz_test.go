package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Any file is either rejected as fault.Invalid or rendered reproducibly to objects that
// can be parsed and stamped.
func FuzzRender(f *testing.F) {
	for _, name := range []string{"testdata/plain/k8s/retail.yaml", "testdata/plain/k8s/config.yaml", "testdata/plain/k8s/setup.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{deploymentYAML(""), deploymentYAML("---\n" + secretHead + "data: {a: aGk=}"), "a: &a [*a]", "--- {a: b}\n...\n%YAML 1.1\n---\n"} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "a.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		m := manifests(dir, "a.yaml")
		m.Workload = delivery.Workload{Replicas: 2, CPU: 1, Memory: 1 << 20, Env: map[string]string{"A": "b"}}
		got, err := render.Render(t.Context(), m)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), dir) {
				t.Errorf("Render: %v, want fault.Invalid without the path %s", err, dir)
			}
			return
		}
		again, err := render.Render(t.Context(), m)
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Errorf("second Render: %v, (-first +second):\n%s", err, diff)
		}
		objects, err := render.Parse(got.Objects)
		if err != nil {
			t.Fatal(err)
		}
		stamp := render.Stamp{Service: m.Service, Environment: "prod", Release: "r-0123456789ab", Image: m.Image, RegistryPrefix: "h/", Secrets: got.Secrets}
		if n := len(stamp.Apply(objects)); n != len(objects) {
			t.Errorf("Apply changed %d objects to %d", len(objects), n)
		}
	})
}
