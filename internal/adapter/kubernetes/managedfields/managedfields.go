// Package managedfields reads from an object who owns which of its fields, and hands
// fields to Slipway. It is pure.
package managedfields

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// Owner is an entry of an object's managed fields.
type Owner struct {
	Manager string
	Time    time.Time
	Fields  *fieldpath.Set

	operation   metav1.ManagedFieldsOperationType
	subresource string
	isVersion   bool // its paths are those of the object's own version
}

// Owners reads the managed fields of an object, in their order.
func Owners(o *unstructured.Unstructured) ([]Owner, error) {
	var out []Owner
	for _, entry := range o.GetManagedFields() {
		fields, err := fieldsOf(entry)
		if err != nil {
			return nil, fmt.Errorf("read the managed fields of %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		by := ownerOf(o, entry)
		by.Fields = fields
		out = append(out, by)
	}
	return out, nil
}

// ownerOf returns an entry without its fields.
func ownerOf(o *unstructured.Unstructured, entry metav1.ManagedFieldsEntry) Owner {
	by := Owner{Manager: entry.Manager, operation: entry.Operation, subresource: entry.Subresource}
	by.isVersion = entry.FieldsV1 != nil && entry.APIVersion == o.GetAPIVersion()
	if entry.Time != nil {
		by.Time = entry.Time.UTC()
	}
	return by
}

func fieldsOf(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	fields := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return fields, nil
	}
	if err := fields.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("fields of manager %s: %w", entry.Manager, err)
	}
	return fields, nil
}

// Kind returns what the owner is. Only controllers write a status.
func (o Owner) Kind() Kind {
	if kind := KindOf(o.Manager); kind == Slipway || o.subresource != "status" {
		return kind
	}
	return Controller
}

// IsApplied reports whether these are the fields that Slipway applies.
func (o Owner) IsApplied() bool {
	return o.Manager == labels.Manager && o.operation == metav1.ManagedFieldsOperationApply && o.subresource == ""
}

// IsEditor reports whether the owner edits the object itself: neither its status or
// scale, nor as a controller or as Slipway. A script under a name of its own does.
func (o Owner) IsEditor() bool {
	return o.subresource == "" && (o.Kind() == Tool || o.Kind() == Unknown)
}

// Applied returns the fields that Slipway has applied.
func Applied(owners []Owner) *fieldpath.Set {
	out := fieldpath.NewSet()
	for _, by := range owners {
		if by.IsApplied() {
			out = out.Union(by.Fields)
		}
	}
	return out
}

// OwnerOf returns who owns a field or, of several, who has set it last. Others go
// before Slipway, which owns what it has applied.
func OwnerOf(owners []Owner, path fieldpath.Path) (found Owner, ok bool) {
	isOurs := func(by Owner) bool { return by.Kind() == Slipway }
	for _, by := range owners {
		if !by.Fields.Has(path) && !HasBelow(by.Fields, path) {
			continue
		}
		if !ok || isOurs(found) && !isOurs(by) || isOurs(found) == isOurs(by) && by.Time.After(found.Time) {
			found, ok = by, true
		}
	}
	return found, ok
}

// IsEdited reports whether an editor owns fields of an object (Owner.IsEditor).
func IsEdited(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return ownerOf(o, e).IsEditor() })
}

// Tools returns the tools that manage fields of the object, sorted. Those that have only
// scaled it are none of them.
func Tools(o *unstructured.Unstructured) []string { return Managers(o, IsTool) }

// Others returns the managers that are neither tools nor Slipway and have set fields of
// the object's spec, sorted. What they do to its status or its scale does not count.
func Others(o *unstructured.Unstructured) []string {
	return managers(o, func(e metav1.ManagedFieldsEntry) bool {
		fields, err := fieldsOf(e)
		kind := KindOf(e.Manager)
		return err == nil && kind != Tool && kind != Slipway && HasBelow(fields, fieldpath.MakePathOrDie("spec"))
	})
}

// Managers returns the selected managers of fields of the object, sorted.
func Managers(o *unstructured.Unstructured, selected func(manager string) bool) []string {
	return managers(o, func(e metav1.ManagedFieldsEntry) bool { return selected(e.Manager) })
}

// managers leaves out who has set status or scale, or fields in another version of the
// API: its paths may mean something else.
func managers(o *unstructured.Unstructured, selected func(metav1.ManagedFieldsEntry) bool) []string {
	var out []string
	for _, e := range o.GetManagedFields() {
		if by := ownerOf(o, e); by.isVersion && by.subresource == "" && selected(e) {
			out = append(out, e.Manager)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReplicasManager returns the only manager of a live workload's number of replicas;
// "" if there are several, or none.
func ReplicasManager(live *unstructured.Unstructured) string {
	found := replicasManagers(live)
	if len(found) != 1 {
		return ""
	}
	return found[0].Manager
}

// IsOnlyScaled reports whether others than Slipway have set a live workload's number of
// replicas, and none of them as configuration: they are scalers, or have scaled it as
// `kubectl scale` does.
func IsOnlyScaled(live *unstructured.Unstructured) bool {
	others := slices.DeleteFunc(replicasManagers(live), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == labels.Manager })
	return len(others) > 0 && !slices.ContainsFunc(others, func(e metav1.ManagedFieldsEntry) bool {
		return !IsScaler(e.Manager) && e.Subresource != "scale"
	})
}

// replicasManagers returns the managers of the number of replicas.
func replicasManagers(live *unstructured.Unstructured) (found []metav1.ManagedFieldsEntry) {
	for _, e := range live.GetManagedFields() {
		if fields, err := fieldsOf(e); err == nil && fields.Has(fieldpath.MakePathOrDie("spec", "replicas")) {
			found = append(found, e)
		}
	}
	return found
}
