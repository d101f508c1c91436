package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

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

func TestWithWeight(t *testing.T) {
	got := withWeight(fakeapi.Object(t, route), "retail-api", 10)
	want := fakeapi.Object(t, `
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
		t.Errorf("(-want +got):\n%s", diff)
	}
	if withWeight(fakeapi.Object(t, route), "another", 10) != nil {
		t.Error("a route that leads elsewhere got a weight")
	}
}

func TestSet_RoutesAndCanaryServices(t *testing.T) {
	service := fakeapi.Object(t, `
apiVersion: v1
kind: Service
metadata: {name: retail-api, annotations: {slipway.dev/release: r-0123456789ab}}
spec: {type: NodePort, selector: {app: retail}, ports: [{port: 80, nodePort: 31000, targetPort: http}]}
`)
	set := &Set{
		Release:  "r-0123456789ab",
		Services: []*unstructured.Unstructured{service},
		Others: []*unstructured.Unstructured{fakeapi.Object(t, route), fakeapi.Object(t, `
apiVersion: example.com/v1
kind: HTTPRoute
metadata: {name: not-of-the-gateway-api}
spec: {rules: [{backendRefs: [{name: retail-api}]}]}
`)},
	}
	if found := set.Routes(); len(found) != 1 || found[0].GetName() != "retail" {
		t.Errorf("Routes = %v, want the one named retail", found)
	}
	canaries := set.CanaryServices()
	if len(canaries) != 1 || canaries[0].GetName() != "retail-api-canary" || canaries[0].GetAnnotations()[labels.Canary] == "" {
		t.Fatalf("CanaryServices = %v, want retail-api-canary with its annotation", canaries)
	}
	want := map[string]any{
		"type": "ClusterIP", "selector": map[string]any{"app": "retail", labels.Release: "r-0123456789ab"},
		"ports": []any{map[string]any{"port": int64(80), "targetPort": "http"}},
	}
	if diff := cmp.Diff(want, canaries[0].Object["spec"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
