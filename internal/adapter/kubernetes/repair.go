package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
)

// awaitTemplates adds to a condition that all pods have the template that was applied.
// Those of a release that was changed by hand have its name, too, but not what was
// recorded.
func (op *operation) awaitTemplates(ctx context.Context, set *manifest.Set, cond *condition) error {
	applied := map[string]int64{} // generation, by Deployment
	for _, d := range set.Workloads {
		live, err := getLive(ctx, op.client, d)
		if err != nil || live == nil {
			return err
		}
		applied[d.GetName()] = live.GetGeneration()
	}
	before := cond.further
	cond.further = func(s client.Snapshot) string {
		for name, generation := range applied {
			if missing := outdatedPods(s.Deployment(name), generation); missing != "" {
				return missing
			}
		}
		return before(s)
	}
	return nil
}

// outdatedPods returns what is missing until all pods of a Deployment have the template
// of a generation, or "".
func outdatedPods(d *unstructured.Unstructured, generation int64) string {
	if d == nil {
		return ""
	}
	number := func(fields ...string) int64 {
		n, _, _ := unstructured.NestedInt64(d.Object, fields...)
		return n
	}
	wanted, updated := number("spec", "replicas"), number("status", "updatedReplicas")
	switch {
	case d.GetGeneration() < generation || number("status", "observedGeneration") < generation:
		return client.Title(d) + " has not been processed yet"
	case updated < wanted || number("status", "replicas") > updated:
		return fmt.Sprintf("%d of %d pods of %s are as recorded", updated, wanted, d.GetName())
	}
	return ""
}
