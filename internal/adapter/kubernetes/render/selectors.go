package render

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// RunsImage reports whether o is a workload with a container of the image's
// repository, init containers aside. For stamped objects, img must include the
// registry prefix.
func RunsImage(o *unstructured.Unstructured, img delivery.Image) bool {
	return len(containersOf(o.Object, img)) > 0
}

// PodTemplate returns the map with metadata and spec of a workload's pods, not a
// copy; false for kinds that run no pods. A Pod is its own template.
func PodTemplate(o *unstructured.Unstructured) (map[string]any, bool) { return podTemplate(o.Object) }

// TemplateLabels returns the labels of a workload's pods.
func TemplateLabels(o *unstructured.Unstructured) map[string]string {
	t, _ := podTemplate(o.Object)
	meta, _ := t["metadata"].(map[string]any)
	return stringMap(meta["labels"])
}

// Selects reports whether a Service selects a workload's pods: both are in one
// namespace, and the pods carry every label of the selector. A Service without a
// selector selects nothing.
func Selects(service, workload *unstructured.Unstructured) bool {
	k := service.GroupVersionKind()
	if k.Group != "" || k.Kind != "Service" || service.GetNamespace() != workload.GetNamespace() {
		return false
	}
	spec, _ := service.Object["spec"].(map[string]any)
	selector, has := stringMap(spec["selector"]), TemplateLabels(workload)
	for key, want := range selector {
		if got, ok := has[key]; !ok || got != want {
			return false
		}
	}
	return len(selector) > 0
}

func stringMap(v any) map[string]string {
	m, _ := v.(map[string]any)
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}
