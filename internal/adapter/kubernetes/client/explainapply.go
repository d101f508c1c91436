package client

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
)

// ExplainApply turns the API server's response to an apply into an error for people.
func (c *Client) ExplainApply(o *unstructured.Unstructured, err error) error {
	act := "apply " + Title(o)
	if fields := ConflictingFields(err); fields != "" {
		return fault.New(fault.Conflict, "%s: %s", act, fields).
			Hint("remove the field from the manifests, have its current manager release it, or set take_over: true in the target")
	}
	explained := Explain(act, err)
	var f *fault.Error
	status, ok := statusOf(err)
	if !ok || !errors.As(explained, &f) {
		return explained
	}
	if p, missing := missingPermission(status.Message); missing && p.namespace != "" && p.namespace != c.namespace {
		return fault.New(fault.Denied, "%s: the manifest names namespace %s, but the target's namespace is %s", act, p.namespace, c.namespace).Cause(err).
			Hint("remove metadata.namespace from the manifest or correct the target's; if it belongs there, %s", p.hint())
	}
	switch {
	case isImmutable(status.Message):
		return fault.New(fault.Failed, "%s: rejected by the cluster", act).Cause(err).Hint("%s", immutableHint(o.GetKind()))
	case strings.Contains(status.Message, schemaPhrase):
		return f.Hint("%s", schemaHint(o.GroupVersionKind(), status.Message))
	case fault.Is(f, fault.NotFound) && strings.Contains(status.Message, "namespaces"):
		return fault.New(fault.NotFound, "%s: %s not found", act, c.title).Cause(err).
			Hint("create it: `kubectl create namespace %s`", o.GetNamespace())
	}
	return explained
}

// isImmutable reports whether the API server refuses to change a field of an object
// that exists.
func isImmutable(message string) bool {
	for _, phrase := range []string{"is immutable", "updates to statefulset spec", "field can not be less than", "may not be changed"} {
		if strings.Contains(message, phrase) {
			return true
		}
	}
	return strings.Contains(message, "persistentvolumeclaims") && strings.Contains(message, "resized")
}

func immutableHint(kind string) string {
	switch kind {
	case "PersistentVolumeClaim":
		return "a claim can only grow, and only where its StorageClass allows it: restore the manifest, or use a claim of another name; the data stays in the old one"
	case "StatefulSet":
		return "rename the StatefulSet, or delete the existing one: only its replicas, template and update strategy can be changed"
	}
	return "rename the object, or delete the existing one: this field cannot be changed"
}
