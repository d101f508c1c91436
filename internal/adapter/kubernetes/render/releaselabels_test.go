package render_test

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func mustParse(t testing.TB, r port.Rendered) []*unstructured.Unstructured {
	t.Helper()
	objects, err := render.Parse(r.Objects)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func mustFind(t testing.TB, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && strings.HasPrefix(o.GetName(), name) {
			return o
		}
	}
	t.Fatalf("%s %s not found", kind, name)
	return nil
}

func TestStamp_Apply(t *testing.T) {
	m := sampleManifests(t, "plain", "k8s")
	m.Delivery = delivery.DeliverByVolume
	r := mustRender(t, m)
	before := mustParse(t, r)
	stamp := render.Stamp{Service: "retail-api", Environment: "prod", Release: "r-0123456789ab", Image: m.Image, RegistryPrefix: "127.0.0.1:5000/", Secrets: r.Secrets}
	after := stamp.Apply(before)
	if text, _ := json.Marshal(before); string(text) != r.Objects {
		t.Error("Apply modified its input")
	}
	for _, o := range after {
		l := o.GetLabels()
		if l["slipway.dev/service"] != "retail-api" || l["slipway.dev/environment"] != "prod" || o.GetAnnotations()["slipway.dev/release"] != "r-0123456789ab" {
			t.Errorf("%s has labels %v and annotations %v", o.GetKind(), l, o.GetAnnotations())
		}
	}
	text, _ := json.Marshal(mustFind(t, after, "Deployment", "retail-api"))
	for _, want := range []string{
		`"image":"127.0.0.1:5000/retail-api@` + string(imageDigest), `"reference":"127.0.0.1:5000/retail-api@` + string(modelImageDigest),
		`{"name":"SLIPWAY_RELEASE","value":"r-0123456789ab"}`, `"slipway.dev/release":"r-0123456789ab","slipway.dev/service":"retail-api"`, `"image":"busybox:1.36"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s not found in %s", want, text)
		}
	}
	if n := strings.Count(string(text), "SLIPWAY_RELEASE"); n != 1 {
		t.Errorf("%d containers have SLIPWAY_RELEASE, want 1", n)
	}
	secret := mustFind(t, after, "Secret", "retail-secret-")
	if got, _, _ := unstructured.NestedString(secret.Object, "data", "TOKEN"); got != "cGxhbnRlZC10b2tlbi0y" {
		t.Errorf("TOKEN = %q", got)
	}
	stamp.Secrets = nil
	if _, has := mustFind(t, stamp.Apply(before), "Secret", "retail-secret-").Object["data"]; has {
		t.Error("a Secret without values has data after Apply")
	}
	placed := delivery.Image{Repository: "127.0.0.1:5000/retail-api", Digest: imageDigest}
	if d := mustFind(t, after, "Deployment", ""); !render.RunsImage(d, placed) || render.RunsImage(d, m.Image) {
		t.Error("RunsImage must require the registry prefix for a stamped Deployment")
	}
}

func TestSelects(t *testing.T) {
	objects := mustParse(t, mustRender(t, sampleManifests(t, "plain", "k8s")))
	service, workload := mustFind(t, objects, "Service", "retail-api"), mustFind(t, objects, "Deployment", "")
	if !render.Selects(service, workload) || render.Selects(workload, service) {
		t.Error("Selects must be true for the Service and its Deployment, and false for swapped arguments")
	}
	for _, selector := range []map[string]any{{}, {"app": "other"}, {"app": "retail-api", "color": "blue"}} {
		service.Object["spec"].(map[string]any)["selector"] = selector
		if render.Selects(service, workload) {
			t.Errorf("Selects is true for selector %v", selector)
		}
	}
	service = mustFind(t, mustParse(t, mustRender(t, sampleManifests(t, "plain", "k8s"))), "Service", "retail-api")
	service.SetNamespace("other")
	if render.Selects(service, workload) {
		t.Error("Selects is true for another namespace")
	}
	if _, ok := render.PodTemplate(service); ok {
		t.Error("PodTemplate is true for a Service")
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "{}", "[1]", "[{}]", `[{"apiVersion":"v1","kind":"Pod","metadata":{}}]`, `[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","name":"b"}}]`, `[] []`} {
		if _, err := render.Parse(text); !fault.Is(err, fault.Corrupt) {
			t.Errorf("Parse(%q): %v, want fault.Corrupt", text, err)
		}
	}
}
