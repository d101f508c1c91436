// Package managedfields reads from an object which of its fields people have set, and
// hands them to another manager. It is pure.
package managedfields

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// IsTool reports whether a manager of fields is a tool that a person or a pipeline
// runs, and that does nothing until it is run again. Any other one is a controller:
// it would take its fields back.
func IsTool(manager string) bool {
	return manager == "kubectl" || strings.HasPrefix(manager, "kubectl-") || strings.EqualFold(manager, "helm") || manager == "before-first-apply"
}

// Tools returns the tools that manage fields of the object, sorted. Those that have only
// scaled it are none of them.
func Tools(o *unstructured.Unstructured) []string { return managers(o, IsTool) }

// Others returns the managers that are no tools and have set fields of the object's
// spec, sorted. What controllers do to its status or its scale does not count.
func Others(o *unstructured.Unstructured) []string {
	var out []string
	for _, e := range entriesOf(o) {
		if e.Subresource == "" && !IsTool(e.Manager) && hasSpec(e) {
			out = append(out, e.Manager)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func managers(o *unstructured.Unstructured, selected func(string) bool) []string {
	var out []string
	for _, e := range entriesOf(o) {
		if e.Subresource == "" && selected(e.Manager) {
			out = append(out, e.Manager)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// entriesOf returns the entries of the object's own version: the paths of another one
// may mean something else.
func entriesOf(o *unstructured.Unstructured) []metav1.ManagedFieldsEntry {
	return slices.DeleteFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.FieldsV1 == nil || e.APIVersion != o.GetAPIVersion()
	})
}

func hasSpec(e metav1.ManagedFieldsEntry) bool {
	set, err := setOf(e)
	if err != nil {
		return false
	}
	name := "spec"
	_, ok := set.Children.Get(fieldpath.PathElement{FieldName: &name})
	return ok
}

func setOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := new(fieldpath.Set)
	if err := set.FromJSON(e.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("read the fields of manager %s: %w", e.Manager, err)
	}
	return set, nil
}

// Transfer returns the object's managed fields with those of the selected managers
// as fields that another one has applied, except for fields that stay where they are.
// ok is false if the selected managers have none.
func Transfer(o *unstructured.Unstructured, from func(string) bool, to string, except *fieldpath.Set) (entries []metav1.ManagedFieldsEntry, ok bool, err error) {
	taken := fieldpath.NewSet()
	var target *metav1.ManagedFieldsEntry
	for _, e := range o.GetManagedFields() {
		switch {
		case e.FieldsV1 == nil, e.Subresource != "", e.APIVersion != o.GetAPIVersion():
			entries = append(entries, e)
			continue
		case e.Manager == to && e.Operation == metav1.ManagedFieldsOperationApply:
			target = e.DeepCopy()
		case !from(e.Manager):
			entries = append(entries, e)
			continue
		default:
			ok = true
		}
		set, err := setOf(e)
		if err != nil {
			return nil, false, err
		}
		if e.Manager != to {
			left := set.Intersection(except)
			if set = set.Difference(except); !left.Empty() {
				rest, err := withFields(e, left)
				if err != nil {
					return nil, false, err
				}
				entries = append(entries, rest)
			}
		}
		taken = taken.Union(set)
	}
	if !ok {
		return nil, false, nil
	}
	if target == nil {
		target = &metav1.ManagedFieldsEntry{Manager: to, Operation: metav1.ManagedFieldsOperationApply, APIVersion: o.GetAPIVersion(), FieldsType: "FieldsV1"}
	}
	entry, err := withFields(*target, taken)
	return append(entries, entry), true, err
}

func withFields(e metav1.ManagedFieldsEntry, set *fieldpath.Set) (metav1.ManagedFieldsEntry, error) {
	raw, err := set.ToJSON()
	if err != nil {
		return e, fmt.Errorf("write the fields of manager %s: %w", e.Manager, err)
	}
	e.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return e, nil
}

// Patch returns the JSON patch that gives the object other managed fields, unless it
// was changed since it was read.
func Patch(o *unstructured.Unstructured, entries []metav1.ManagedFieldsEntry) ([]byte, error) {
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()},
	})
}
