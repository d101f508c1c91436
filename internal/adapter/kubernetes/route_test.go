package kubernetes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/port"
)

func read(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: retail}
spec:
  rules:
    - backendRefs: [{name: retail-api, port: 80, weight: 3}, {name: legacy, port: 80}]
    - backendRefs: [{name: retail-api, port: 80}]
    - filters: []
`

func TestWeighed(t *testing.T) {
	got := weighed(read(t, route), "retail-api", 10)
	want := read(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: retail}
spec:
  rules:
    - backendRefs: [{name: retail-api, port: 80, weight: 270}, {name: retail-api-canary, port: 80, weight: 30}, {name: legacy, port: 80, weight: 100}]
    - backendRefs: [{name: retail-api, port: 80, weight: 90}, {name: retail-api-canary, port: 80, weight: 10}]
    - filters: []
`)
	if diff := cmp.Diff(want.Object, got.Object); diff != "" {
		t.Error(diff)
	}
	if weighed(read(t, route), "another", 10) != nil {
		t.Error("a route that leads elsewhere was weighed")
	}
}

func TestRoutesAndCanaries(t *testing.T) {
	service := read(t, `
apiVersion: v1
kind: Service
metadata: {name: retail-api, annotations: {slipway.dev/release: r-0123456789ab}}
spec: {type: NodePort, selector: {app: retail}, ports: [{port: 80, nodePort: 31000, targetPort: http}]}
`)
	b := &bundle{
		order:   port.DeployRequest{ID: "r-0123456789ab"},
		entries: []*unstructured.Unstructured{service},
		rest: []*unstructured.Unstructured{read(t, route), read(t, `
apiVersion: example.com/v1
kind: HTTPRoute
metadata: {name: not-of-the-gateway-api}
spec: {rules: [{backendRefs: [{name: retail-api}]}]}
`)},
	}
	if found := b.routes(); len(found) != 1 || found[0].GetName() != "retail" {
		t.Errorf("routes: %v", found)
	}
	canaries := b.canaries()
	if len(canaries) != 1 || canaries[0].GetName() != "retail-api-canary" || canaries[0].GetAnnotations()[canaryMark] == "" {
		t.Fatalf("canaries: %v", canaries)
	}
	want := map[string]any{
		"type": "ClusterIP", "selector": map[string]any{"app": "retail", releaseLabel: "r-0123456789ab"},
		"ports": []any{map[string]any{"port": int64(80), "targetPort": "http"}},
	}
	if diff := cmp.Diff(want, canaries[0].Object["spec"]); diff != "" {
		t.Error(diff)
	}
}
