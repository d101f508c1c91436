package manifest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// YAML returns an object as text, without what a cluster adds by itself and without the
// values of Secrets; "" for nil.
func YAML(o *unstructured.Unstructured) string {
	if o == nil {
		return ""
	}
	c := o.DeepCopy()
	delete(c.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
		unstructured.RemoveNestedField(c.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(c.Object, "metadata", "annotations", "deployment.kubernetes.io/revision")
	// What only names the release differs every time, and is no change.
	for _, annotation := range []string{labels.Fence, labels.Held, labels.Release} {
		unstructured.RemoveNestedField(c.Object, "metadata", "annotations", annotation)
	}
	unstructured.RemoveNestedField(c.Object, "spec", "selector", labels.Release)
	if c.GetKind() == "Secret" {
		redactValues(c)
	}
	text, err := yaml.Marshal(c.Object)
	if err != nil {
		return ""
	}
	return string(text)
}

func redactValues(secret *unstructured.Unstructured) {
	for _, field := range []string{"data", "stringData"} {
		if values, ok := secret.Object[field].(map[string]any); ok {
			for k := range values {
				values[k] = "(redacted)"
			}
		}
	}
}
