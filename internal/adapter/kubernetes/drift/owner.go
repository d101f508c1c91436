package drift

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// owner is a manager of fields of one object.
type owner struct {
	manager     string
	operation   metav1.ManagedFieldsOperationType
	subresource string
	time        time.Time
	fields      *fieldpath.Set
}

// ownersOf reads the managed fields of an object.
func ownersOf(o *unstructured.Unstructured) ([]owner, error) {
	var out []owner
	for _, entry := range o.GetManagedFields() {
		by := owner{manager: entry.Manager, operation: entry.Operation, subresource: entry.Subresource, fields: fieldpath.NewSet()}
		if entry.Time != nil {
			by.time = entry.Time.UTC()
		}
		if entry.FieldsV1 != nil {
			if err := by.fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
				return nil, fmt.Errorf("read the managed fields of %s %s: %w", o.GetKind(), o.GetName(), err)
			}
		}
		out = append(out, by)
	}
	return out, nil
}

// recordedFields returns what Slipway applies of an object, from a dry run.
func recordedFields(next *unstructured.Unstructured) (*fieldpath.Set, error) {
	owners, err := ownersOf(next)
	if err != nil {
		return nil, err
	}
	out := fieldpath.NewSet()
	for _, by := range owners {
		if by.applies() {
			out = out.Union(by.fields)
		}
	}
	return out, nil
}

// ownerOf returns who owns a field or, of several, who has set it last. Others go
// before Slipway, which owns what it has applied.
func ownerOf(owners []owner, path fieldpath.Path) (found owner, ok bool) {
	for _, by := range owners {
		if !by.fields.Has(path) && !hasBelow(by.fields, path) {
			continue
		}
		if !ok || found.isOurs() && !by.isOurs() || found.isOurs() == by.isOurs() && by.time.After(found.time) {
			found, ok = by, true
		}
	}
	return found, ok
}

// applies reports whether these are the fields that Slipway applies.
func (o owner) applies() bool {
	return o.manager == labels.Manager && o.operation == metav1.ManagedFieldsOperationApply && o.subresource == ""
}

// isOurs reports whether the manager is Slipway under any of its names.
func (o owner) isOurs() bool {
	return o.manager == labels.Manager || strings.HasPrefix(o.manager, labels.Manager+"-")
}

// controllerPattern matches the names of programs that change objects by themselves:
// those of Kubernetes, and what operators are usually called.
var controllerPattern = regexp.MustCompile(`(?i)controller|operator|autoscaler|scheduler|injector|webhook|^manager$|^kube-|kubelet|^vpa|^keda|istio|linkerd|cert-manager|reloader|flagger|rollouts|velero|crossplane|kyverno|gatekeeper`)

func (o owner) isController() bool {
	return !o.isOurs() && (o.subresource == "status" || controllerPattern.MatchString(o.manager))
}

// isPerson reports whether the manager is a person's tool, such as kubectl.
func (o owner) isPerson() bool { return !o.isOurs() && !o.isController() }

// HasOthers reports whether a person's tool owns fields of an object.
func HasOthers(o *unstructured.Unstructured) bool {
	for _, entry := range o.GetManagedFields() {
		if by := (owner{manager: entry.Manager, subresource: entry.Subresource}); by.isPerson() && entry.Subresource == "" {
			return true
		}
	}
	return false
}
