package manifest

import (
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// defaultReplicas is the API's.
const defaultReplicas = 1

// replicasOf returns how many pods a Deployment has: the live number, which an
// autoscaler may have changed, or else that of the manifest.
func replicasOf(live, manifest *unstructured.Unstructured) int64 {
	for _, d := range []*unstructured.Unstructured{live, manifest} {
		if d == nil {
			continue
		}
		if n, ok, _ := unstructured.NestedInt64(d.Object, "spec", "replicas"); ok {
			return n
		}
	}
	return defaultReplicas
}

// WantedReplicas returns how many pods the manifest asks for, or the live number if
// it leaves that to an autoscaler.
func WantedReplicas(live, manifest *unstructured.Unstructured) int64 {
	if n, ok, _ := unstructured.NestedInt64(manifest.Object, "spec", "replicas"); ok {
		return n
	}
	return replicasOf(live, manifest)
}

// maxDefaultSurge is up to how many pods start all at once when the manifest has no
// maxSurge.
const maxDefaultSurge = 4

// MaxSurge returns how many pods the manifest allows next to the old ones at a time.
// Without maxSurge a few start together: then users move at once, and no old pod
// ends while it still receives requests. For many it is the API's default, a quarter.
func MaxSurge(manifest *unstructured.Unstructured, replicas int64) int64 {
	raw, ok, _ := unstructured.NestedFieldNoCopy(manifest.Object, "spec", "strategy", "rollingUpdate", "maxSurge")
	if !ok && replicas <= maxDefaultSurge {
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

// CanaryReplicas returns how many pods next to n old ones receive about that
// percentage of the requests, and the percentage that they really receive.
func CanaryReplicas(n int64, percent int) (canary int64, actual float64) {
	p := float64(percent) / 100
	canary = int64(math.Round(p / (1 - p) * float64(n)))
	canary = min(max(canary, 1), max(n, 1))
	return canary, 100 * float64(canary) / float64(canary+n)
}

// IsScalable reports whether an object has a number of replicas.
func IsScalable(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().Group == "apps" && (o.GetKind() == "Deployment" || o.GetKind() == "StatefulSet")
}

// Replicas returns the number of replicas that an object names.
func Replicas(o *unstructured.Unstructured) (n int64, named bool) {
	if o == nil {
		return 0, false
	}
	n, named, _ = unstructured.NestedInt64(o.Object, "spec", "replicas")
	return n, named
}

// SetReplicas names the number of replicas.
func SetReplicas(o *unstructured.Unstructured, n int64) {
	_ = unstructured.SetNestedField(o.Object, n, "spec", "replicas") // its spec is a map
}

// RemoveReplicas leaves the number of replicas to others.
func RemoveReplicas(o *unstructured.Unstructured) {
	unstructured.RemoveNestedField(o.Object, "spec", "replicas")
}

// OnlyReplicas returns a live workload's number of replicas as an object to apply, which
// the API refuses if the workload has changed since.
func OnlyReplicas(live *unstructured.Unstructured) *unstructured.Unstructured {
	n, _ := Replicas(live)
	out := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": n}}}
	out.SetGroupVersionKind(live.GroupVersionKind())
	out.SetName(live.GetName())
	out.SetNamespace(live.GetNamespace())
	out.SetResourceVersion(live.GetResourceVersion())
	return out
}
