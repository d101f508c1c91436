package render_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// Containers of the release get a preStop sleep unless they have a hook, and a longer
// grace period.
func TestStamp_AddsPreStopSleep(t *testing.T) {
	var body map[string]any
	err := yaml.Unmarshal([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - {name: api, image: "retail-api@sha256:1"}
        - {name: own, image: "retail-api@sha256:1", lifecycle: {preStop: {exec: {command: [wait]}}}}
        - {name: other, image: "envoy@sha256:2"}
`), &body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		linger, grace int64
		hook          any
	}{
		{0, 5, nil},
		{3, 8, map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": int64(3)}}}},
	} {
		in := &unstructured.Unstructured{Object: map[string]any{}}
		raw, _ := yaml.Marshal(body)
		text, _ := yaml.YAMLToJSON(raw)
		if err := in.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		s := render.Stamp{Service: "api", Image: delivery.Image{Repository: "retail-api"}, PreStopSeconds: c.linger}
		out := s.Apply([]*unstructured.Unstructured{in})[0]
		spec, _, _ := unstructured.NestedMap(out.Object, "spec", "template", "spec")
		if spec["terminationGracePeriodSeconds"] != c.grace {
			t.Errorf("PreStopSeconds %d: grace period %v, want %d", c.linger, spec["terminationGracePeriodSeconds"], c.grace)
		}
		hooks := []any{c.hook, map[string]any{"preStop": map[string]any{"exec": map[string]any{"command": []any{"wait"}}}}, nil}
		for i, container := range spec["containers"].([]any) {
			if diff := cmp.Diff(hooks[i], container.(map[string]any)["lifecycle"]); diff != "" {
				t.Errorf("PreStopSeconds %d, container %d: lifecycle (-want +got):\n%s", c.linger, i, diff)
			}
		}
	}
}
