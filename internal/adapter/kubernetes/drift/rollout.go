package drift

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/port"
)

// Rollout returns the rollout of a live Deployment that is not finished: its template is
// the recorded one, but pods of an earlier one still run, as new ones are not available.
// A repair that failed leaves it so. Without a Deployment, there is none.
func Rollout(live *unstructured.Unstructured) []port.Drift {
	if live == nil {
		return nil
	}
	count := func(fields ...string) int64 {
		n, _, _ := unstructured.NestedInt64(live.Object, fields...) // counts of 0 are left out
		return n
	}
	old := count("status", "replicas") - count("status", "updatedReplicas")
	if old <= 0 || count("status", "unavailableReplicas") == 0 || count("status", "observedGeneration") < live.GetGeneration() {
		return nil // the status follows the pods a moment later
	}
	return []port.Drift{{
		Kind: live.GetKind(), Name: live.GetName(),
		Live: fmt.Sprintf("%d of %d pods still have an earlier template: new ones are not available", old, count("status", "replicas")),
	}}
}
