package kubernetes

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
)

// TestLeaveReplicas: the number that a manifest names counts unless an autoscaler scales
// the workload.
func TestLeaveReplicas(t *testing.T) {
	const ours = "managedFields: [{manager: slipway, operation: Apply, fieldsType: FieldsV1, fieldsV1: {'f:spec': {'f:replicas': {}}}}]"
	for _, c := range []struct {
		name, live, autoscaler, spec string
		named                        bool
	}{
		{"no autoscaler", "replicas: 4", "", "{replicas: 2}", true},
		{"its autoscaler", "replicas: 4", "{kind: Deployment, name: api}", "{replicas: 2}", false},
		{"another's autoscaler", "replicas: 4", "{kind: Deployment, name: other}", "{replicas: 2}", true},
		{"of another kind", "replicas: 4", "{kind: StatefulSet, name: api}", "{replicas: 2}", true},
		{"the same number, which we set", "replicas: 2", "{kind: Deployment, name: api}", "{replicas: 2}", true},
		{"silent", "replicas: 4", "{kind: Deployment, name: api}", "{}", false},
		{"first", "", "{kind: Deployment, name: api}", "{replicas: 2}", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fakeapi.New(t)
			if c.autoscaler != "" {
				s.Put("/apis/autoscaling/v2/namespaces/ns/horizontalpodautoscalers/by-hand",
					fakeapi.Object(t, "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: by-hand}, spec: {scaleTargetRef: "+c.autoscaler+"}}"))
			}
			live := map[string]*unstructured.Unstructured{}
			if c.live != "" {
				live["api"] = fakeapi.Object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, "+ours+"}, spec: {"+c.live+"}}")
			}
			set := &manifest.Set{Workloads: []*unstructured.Unstructured{fakeapi.Object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: "+c.spec+"}")}}
			left, err := leaveReplicas(t.Context(), s.Client(), live, set)
			if err != nil {
				t.Fatal(err)
			}
			if _, named := manifest.Replicas(set.Workloads[0]); named != c.named {
				t.Errorf("the number of replicas is applied: %t, want %t", named, c.named)
			}
			if text := left["Deployment api"]; c.spec != "{}" && strings.Contains(text, "stay 4") == c.named {
				t.Errorf("what is left = %q", text)
			}
		})
	}
}
