package manifest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// A hold is about thirty years of minReadySeconds. The API requires the progress
// deadline to be later.
const (
	holdSeconds          = int64(1_000_000_000)
	holdProgressDeadline = holdSeconds + 600
)

// Hold makes the Deployment start up to surge new pods next to the old ones, and
// keep all the old ones. Strategy Recreate cannot run both: the Deployment stays as
// it is, and the old pods end first.
func Hold(d *unstructured.Unstructured, id delivery.ReleaseID, surge int64) *unstructured.Unstructured {
	out := d.DeepCopy()
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[labels.Held] = string(id)
	out.SetAnnotations(annotations)
	if recreates(d) {
		return out
	}
	spec := out.Object["spec"].(map[string]any)
	spec["minReadySeconds"] = holdSeconds
	spec["progressDeadlineSeconds"] = holdProgressDeadline
	spec["strategy"] = map[string]any{
		"type":          "RollingUpdate",
		"rollingUpdate": map[string]any{"maxSurge": max(surge, 1), "maxUnavailable": int64(0)},
	}
	return out
}

func recreates(d *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(d.Object, "spec", "strategy", "type")
	return strategy == "Recreate"
}

// HeldFor returns the release for which a live Deployment is held, or "".
func HeldFor(d *unstructured.Unstructured) delivery.ReleaseID {
	if d == nil {
		return ""
	}
	return delivery.ReleaseID(d.GetAnnotations()[labels.Held])
}

// TemplateRelease returns the release of a Deployment's pod template, or "".
func TemplateRelease(d *unstructured.Unstructured) delivery.ReleaseID {
	if d == nil {
		return ""
	}
	id, _, _ := unstructured.NestedString(d.Object, "spec", "template", "metadata", "labels", labels.Release)
	return delivery.ReleaseID(id)
}

// Select returns the Service so that it selects the pods of one release only; an
// empty id: those of every release.
func Select(svc *unstructured.Unstructured, id delivery.ReleaseID) *unstructured.Unstructured {
	out := svc.DeepCopy()
	selector, _, _ := unstructured.NestedStringMap(out.Object, "spec", "selector")
	if selector == nil {
		selector = map[string]string{}
	}
	delete(selector, labels.Release)
	if id != "" {
		selector[labels.Release] = string(id)
	}
	_ = unstructured.SetNestedStringMap(out.Object, selector, "spec", "selector") // it was a map of strings
	return out
}
