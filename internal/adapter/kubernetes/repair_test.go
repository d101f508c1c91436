package kubernetes

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestOutdatedPods(t *testing.T) {
	const generation = 3
	for _, c := range []struct {
		name                                 string
		generation, observed, updated, total int64
		want                                 string
	}{
		{"before the change", 2, 2, 2, 2, "Deployment api has not been processed yet"},
		{"not observed", 3, 2, 2, 2, "Deployment api has not been processed yet"},
		{"on the way", 3, 3, 1, 3, "1 of 2 pods of api are as recorded"},
		{"an old pod is left", 3, 3, 2, 3, "2 of 2 pods of api are as recorded"},
		{"done", 3, 3, 2, 2, ""},
		{"changed again", 4, 4, 2, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &unstructured.Unstructured{Object: map[string]any{
				"kind": "Deployment", "metadata": map[string]any{"name": "api", "generation": c.generation},
				"spec":   map[string]any{"replicas": int64(2)},
				"status": map[string]any{"observedGeneration": c.observed, "updatedReplicas": c.updated, "replicas": c.total},
			}}
			if got := outdatedPods(d, generation); got != c.want {
				t.Errorf("outdatedPods = %q, want %q", got, c.want)
			}
		})
	}
}
