package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	imageDigest      = delivery.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	modelDigest      = delivery.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
	modelImageDigest = delivery.Digest("sha256:3333333333333333333333333333333333333333333333333333333333333333")
)

// manifests returns a release with a model, from files below dir.
func manifests(dir string, paths ...string) port.Manifests {
	return port.Manifests{
		Service: "retail-api", Dir: dir, Paths: paths,
		Image:      delivery.Image{Repository: "retail-api", Digest: imageDigest},
		Model:      &delivery.ModelRef{Group: "prices", Version: 3, Digest: modelDigest},
		ModelImage: delivery.Image{Repository: "retail-api", Digest: modelImageDigest},
	}
}

func sampleManifests(t testing.TB, name string, paths ...string) port.Manifests {
	t.Helper()
	dir, err := filepath.Abs("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return manifests(dir, paths...)
}

// goldenCases returns the releases of the golden files.
func goldenCases(t testing.TB) map[string]port.Manifests {
	plain := sampleManifests(t, "plain", "k8s/")
	plain.Workload = delivery.Workload{Replicas: 4, Env: map[string]string{"LOG_LEVEL": "debug", "EXTRA": "1"}, Args: []string{"-v"}, CPU: 0.5, Memory: 512 << 20}
	volume := sampleManifests(t, "plain", "k8s")
	volume.Delivery = delivery.DeliverByVolume
	env := sampleManifests(t, "plain", "k8s/config.yaml", "k8s/retail.yaml")
	env.Delivery = delivery.DeliverByEnv
	located := env
	located.ModelImage, located.Location = delivery.Image{}, port.ModelLocation{
		Name: "arn:aws:sagemaker:ap-southeast-1:111122223333:model-package/prices/3", URL: "s3://mlops-models/slipway/prices/models/22/model.tar.gz", Version: "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
	}
	helm := sampleManifests(t, "helm", "chart")
	helm.Values = []string{"prod.yaml", "eu.yaml"}
	made := sampleManifests(t, "plain")
	made.Workload = delivery.Workload{Replicas: 2, Env: map[string]string{"A": "b"}, CPU: 1, Memory: 1000, Health: "/health", Ready: "/ready", Drain: delivery.Duration(1500 * time.Millisecond)}
	bare := made
	bare.Model, bare.ModelImage, bare.Workload = nil, delivery.Image{}, delivery.Workload{Health: "/health"}
	ported := bare
	ported.Workload = delivery.Workload{Health: "/health", Port: 8501, Writable: true}
	return map[string]port.Manifests{
		"ported": ported,
		"plain":  plain, "volume": volume, "env": env, "located": located, "kustomize": sampleManifests(t, "kustomize", "k8s/overlays/prod"),
		"helm": helm, "generated": made, "bare": bare,
	}
}

func TestRender_Golden(t *testing.T) {
	for name, m := range goldenCases(t) {
		t.Run(name, func(t *testing.T) {
			got := mustRender(t, m)
			text := formatRendered(t, got)
			golden := "testdata/golden/" + name + ".json"
			if *update {
				if err := os.WriteFile(golden, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if diff := cmp.Diff(string(want), string(text)); err != nil || diff != "" {
				t.Errorf("Render (-want +got): %v\n%s", err, diff)
			}
			if strings.Contains(got.Objects, "planted") || strings.Contains(got.Objects, "cGxhbnRlZ") || strings.Contains(strings.Join(got.Notes, " "), "planted") {
				t.Error("the objects or notes contain a Secret's value")
			}
			if _, err := render.Parse(got.Objects); err != nil {
				t.Errorf("Parse: %v", err)
			}
		})
	}
}

// Rendering is repeated because the iteration order of maps varies.
func TestRender_Reproducible(t *testing.T) {
	for name, m := range goldenCases(t) {
		first := mustRender(t, m)
		for range 20 {
			if diff := cmp.Diff(first, mustRender(t, m)); diff != "" {
				t.Fatalf("%s differs when rendered again (-first +again):\n%s", name, diff)
			}
		}
	}
}

func mustRender(t testing.TB, m port.Manifests) port.Rendered {
	t.Helper()
	got, err := render.Render(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func formatRendered(t testing.TB, r port.Rendered) []byte {
	t.Helper()
	secrets := map[string]map[string]string{}
	for _, s := range r.Secrets {
		secrets[s.Name] = map[string]string{}
		for k, v := range s.Data {
			secrets[s.Name][k] = string(v)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"objects": json.RawMessage(r.Objects), "secrets": secrets, "notes": r.Notes}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeCheckout writes files, by name, to a new folder.
func writeCheckout(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
