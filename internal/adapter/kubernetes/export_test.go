package kubernetes_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// An export is what kubectl applies: images by digest, the namespace, nothing that only
// Slipway reads, and no values of secrets.
func TestTargetExport(t *testing.T) {
	img := delivery.Image{Repository: "retail-api", Digest: delivery.DigestOf([]byte("image"))}
	for name, c := range map[string]struct {
		manifests port.Manifests
		kinds     []string
		notes     []string
	}{
		"generated": {port.Manifests{}, []string{"Service", "Deployment"}, []string{"10.0.0.1:5000"}},
		"own, with a secret": {
			port.Manifests{Dir: "render/testdata/plain", Paths: []string{"k8s/"}}, []string{"ConfigMap", "Service", "Deployment"},
			[]string{"Secret retail-secret", "10.0.0.1:5000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.manifests
			m.Service, m.Image = "retail-api", img
			m.Workload = delivery.Workload{Replicas: 2, Health: "/health"}
			at, err := delivery.NewLocation(kubernetes.Section{Namespace: "shop", Registry: "10.0.0.1:5000"})
			if err != nil {
				t.Fatal(err)
			}
			target, err := kubernetes.New(kubernetes.Config{}).For(at)
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := target.(port.Renderer).Render(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			rel := delivery.Release{Service: m.Service, Image: img, Workload: m.Workload, Objects: rendered.Objects, Manifests: rendered.Digest()}
			out, err := target.(port.Exporter).Export(t.Context(), port.DeployRequest{Service: m.Service, Environment: "prod", ID: "r-0123456789ab", Release: rel, Secrets: rendered.Secrets})
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]bool{}
			for _, document := range strings.Split(out.Manifests, "---\n") {
				var o struct {
					Kind     string
					Metadata struct{ Name, Namespace string }
				}
				if err := yaml.Unmarshal([]byte(document), &o); err != nil || o.Metadata.Name == "" || o.Metadata.Namespace == "" && o.Kind != "Namespace" {
					t.Errorf("document %+v, %v", o, err)
				}
				kinds[o.Kind] = true
			}
			for _, kind := range c.kinds {
				if !kinds[kind] {
					t.Errorf("no %s in:\n%s", kind, out.Manifests)
				}
			}
			if !strings.Contains(out.Manifests, "image: 10.0.0.1:5000/retail-api@"+string(img.Digest)) || kinds["Secret"] {
				t.Errorf("the image is not pinned, or a Secret is in it:\n%s", out.Manifests)
			}
			for _, word := range []string{"slipway.dev", "managed-by", "planted", "cGxhbnRl"} {
				if strings.Contains(out.Manifests, word) {
					t.Errorf("%q is in it:\n%s", word, out.Manifests)
				}
			}
			for _, note := range c.notes {
				if !strings.Contains(strings.Join(out.Notes, "\n"), note) {
					t.Errorf("notes = %q, want %q", out.Notes, note)
				}
			}
		})
	}
}

// A release of another target has no objects.
func TestTargetExport_WithoutObjects(t *testing.T) {
	target := kubernetes.New(kubernetes.Config{})
	if _, err := target.Export(t.Context(), port.DeployRequest{ID: "r-0123456789ab"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("err = %v, want invalid", err)
	}
}
