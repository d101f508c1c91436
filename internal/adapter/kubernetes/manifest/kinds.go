package manifest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func isPrerequisite(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition", "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "PersistentVolumeClaim":
		return true
	}
	return false
}

func affectsTraffic(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget":
		return true
	}
	return false
}

// IsPersistent reports whether an object is never removed: it holds data, or what
// others have made.
func IsPersistent(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition", "PersistentVolumeClaim":
		return true
	}
	return false
}

// IsImmutable reports whether an object cannot change: its name is that of its
// content.
func IsImmutable(o *unstructured.Unstructured) bool {
	immutable, _, _ := unstructured.NestedBool(o.Object, "immutable")
	return immutable || IsJob(o)
}

// IsJob reports whether an object runs once.
func IsJob(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "batch", Kind: "Job"}
}

// isCompanion reports whether an object has pods that run beside the service.
func isCompanion(o *unstructured.Unstructured) bool {
	if o.GroupVersionKind().Group != "apps" {
		return false
	}
	switch o.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet":
		return true
	}
	return false
}
