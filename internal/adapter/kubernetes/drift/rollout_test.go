package drift

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestRollout(t *testing.T) {
	type counts = map[string]any
	for _, row := range []struct {
		name   string
		status counts
		want   []string
	}{
		{"finished", counts{"observedGeneration": int64(3), "replicas": int64(2), "updatedReplicas": int64(2)}, []string{}},
		{"new pods not ready, none of before", counts{"observedGeneration": int64(3), "replicas": int64(2), "updatedReplicas": int64(2), "unavailableReplicas": int64(2)}, []string{}},
		{"pods of before", counts{"observedGeneration": int64(3), "replicas": int64(3), "updatedReplicas": int64(1), "unavailableReplicas": int64(1)},
			[]string{"Deployment tiny: 2 of 3 pods still have an earlier template: new ones are not available"}},
		{"no new pod at all", counts{"observedGeneration": int64(3), "replicas": int64(2), "unavailableReplicas": int64(1)},
			[]string{"Deployment tiny: 2 of 2 pods still have an earlier template: new ones are not available"}},
		{"the count of pods that have just ended", counts{"observedGeneration": int64(3), "replicas": int64(3), "updatedReplicas": int64(2)}, []string{}},
		{"status of before", counts{"observedGeneration": int64(2), "replicas": int64(3), "updatedReplicas": int64(1), "unavailableReplicas": int64(1)}, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			live := &unstructured.Unstructured{Object: map[string]any{
				"kind": "Deployment", "metadata": map[string]any{"name": "tiny", "generation": int64(3)}, "status": row.status,
			}}
			if diff := cmp.Diff(row.want, texts(Rollout(live))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := Rollout(nil); len(got) > 0 {
		t.Errorf("Rollout(nil) = %v, want none", got)
	}
}
