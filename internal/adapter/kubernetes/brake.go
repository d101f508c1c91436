package kubernetes

import (
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// The brake is about thirty years of minReadySeconds. The API wants the progress
// deadline to be later.
const (
	brakeSeconds    = int64(1_000_000_000)
	brakeDeadline   = brakeSeconds + 600
	defaultReplicas = 1
)

// brake makes the Deployment start up to surge new pods beside the old ones, and
// take none of the old away. Strategy Recreate knows no "beside": it stays as it
// is, and the old pods go first.
func brake(d *unstructured.Unstructured, id delivery.ReleaseID, surge int64) *unstructured.Unstructured {
	out := d.DeepCopy()
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[heldAnnotation] = string(id)
	out.SetAnnotations(annotations)
	if recreates(d) {
		return out
	}
	spec := out.Object["spec"].(map[string]any)
	spec["minReadySeconds"] = brakeSeconds
	spec["progressDeadlineSeconds"] = brakeDeadline
	spec["strategy"] = map[string]any{
		"type":          "RollingUpdate",
		"rollingUpdate": map[string]any{"maxSurge": max(surge, 1), "maxUnavailable": int64(0)},
	}
	return out
}

func recreates(d *unstructured.Unstructured) bool {
	kind, _, _ := unstructured.NestedString(d.Object, "spec", "strategy", "type")
	return kind == "Recreate"
}

// heldFor is the release for which a live Deployment has the brake on, or "".
func heldFor(d *unstructured.Unstructured) delivery.ReleaseID {
	if d == nil {
		return ""
	}
	return delivery.ReleaseID(d.GetAnnotations()[heldAnnotation])
}

// templateOf is the release of a Deployment's pod template, or "".
func templateOf(d *unstructured.Unstructured) delivery.ReleaseID {
	if d == nil {
		return ""
	}
	id, _, _ := unstructured.NestedString(d.Object, "spec", "template", "metadata", "labels", releaseLabel)
	return delivery.ReleaseID(id)
}

// pin makes the Service select one release's pods only; an empty id: those of
// every release.
func pin(s *unstructured.Unstructured, id delivery.ReleaseID) *unstructured.Unstructured {
	out := s.DeepCopy()
	selector, _, _ := unstructured.NestedStringMap(out.Object, "spec", "selector")
	if selector == nil {
		selector = map[string]string{}
	}
	delete(selector, releaseLabel)
	if id != "" {
		selector[releaseLabel] = string(id)
	}
	_ = unstructured.SetNestedStringMap(out.Object, selector, "spec", "selector") // it was a map of strings
	return out
}

// replicasOf is how many pods a Deployment has: what the live one says, for an
// autoscaler may have changed it, or else what the file says.
func replicasOf(live, file *unstructured.Unstructured) int64 {
	for _, d := range []*unstructured.Unstructured{live, file} {
		if d == nil {
			continue
		}
		if n, ok, _ := unstructured.NestedInt64(d.Object, "spec", "replicas"); ok {
			return n
		}
	}
	return defaultReplicas
}

// wanted is how many the file asks for, and with an autoscaler what is there.
func wanted(live, file *unstructured.Unstructured) int64 {
	if n, ok, _ := unstructured.NestedInt64(file.Object, "spec", "replicas"); ok {
		return n
	}
	return replicasOf(live, file)
}

// fewPods is up to how many pods start all at once when the file does not say.
const fewPods = 4

// surgeOf is how many pods beside the old ones the file allows at a time. When it
// does not say, a few start together: then users move at once, and no old pod
// ends while it is still asked. Many follow the API's default of a quarter.
func surgeOf(file *unstructured.Unstructured, replicas int64) int64 {
	raw, ok, _ := unstructured.NestedFieldNoCopy(file.Object, "spec", "strategy", "rollingUpdate", "maxSurge")
	if !ok && replicas <= fewPods {
		return max(replicas, 1)
	}
	surge := intstr.FromString("25%")
	if ok {
		switch v := raw.(type) {
		case int64:
			surge = intstr.FromInt32(int32(min(v, math.MaxInt32)))
		case string:
			surge = intstr.Parse(v)
		}
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&surge, int(replicas), true)
	if err != nil {
		n = 1
	}
	return min(max(int64(n), 1), max(replicas, 1))
}

// share is how many pods beside n old ones get about that percentage of the
// traffic, and the percentage that they really get.
func share(n int64, percent int) (beside int64, actual float64) {
	p := float64(percent) / 100
	beside = int64(math.Round(p / (1 - p) * float64(n)))
	beside = min(max(beside, 1), max(n, 1))
	return beside, 100 * float64(beside) / float64(beside+n)
}
