package managedfields

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// TakeFrom returns a JSON patch that makes Slipway the only owner of what the selected
// managers have set in an object, except for fields that stay theirs. Fields that they
// noted in another version of the API stay, too: they may mean something else.
func TakeFrom(o *unstructured.Unstructured, selected func(manager string) bool, except *fieldpath.Set) ([]byte, error) {
	return take(o, func(by Owner) *fieldpath.Set {
		if !by.isVersion || by.subresource != "" || !selected(by.Manager) {
			return fieldpath.NewSet()
		}
		return by.Fields.Difference(except)
	})
}

// TakePaths returns a JSON patch that makes Slipway the only owner of fields that
// editors have set in an object, and of all below them.
func TakePaths(o *unstructured.Unstructured, paths []fieldpath.Path) ([]byte, error) {
	return take(o, func(by Owner) *fieldpath.Set {
		if !by.IsEditor() {
			return fieldpath.NewSet()
		}
		return within(by.Fields, paths)
	})
}

// take moves fields from their owners to what Slipway applies. The patch changes no
// value: the next apply removes the fields that it lacks, and with them the pods change
// once. It fails if the object has changed since it was read. Without fields to take the
// patch is nil.
func take(o *unstructured.Unstructured, part func(Owner) *fieldpath.Set) ([]byte, error) {
	owners, err := Owners(o)
	if err != nil {
		return nil, err
	}
	taken := fieldpath.NewSet()
	var entries []metav1.ManagedFieldsEntry
	for i, entry := range o.GetManagedFields() {
		theirs := fieldpath.NewSet()
		if !owners[i].IsApplied() {
			theirs = part(owners[i])
		}
		if theirs.Empty() {
			entries = append(entries, entry)
			continue
		}
		taken = taken.Union(theirs)
		if rest := owners[i].Fields.Difference(theirs); !rest.Empty() {
			if err := setFields(&entry, rest); err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
	}
	if taken.Empty() {
		return nil, nil
	}
	if entries, err = withTaken(entries, o, taken); err != nil {
		return nil, err
	}
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		// replaced and not tested: then it is a conflict, and not an invalid request
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()},
	})
}

// withTaken adds fields to those that Slipway applies.
func withTaken(entries []metav1.ManagedFieldsEntry, o *unstructured.Unstructured, taken *fieldpath.Set) ([]metav1.ManagedFieldsEntry, error) {
	for i, entry := range entries {
		if by := ownerOf(o, entry); by.IsApplied() {
			fields, err := fieldsOf(entry)
			if err != nil {
				return nil, err
			}
			return entries, setFields(&entries[i], fields.Union(taken))
		}
	}
	entry := metav1.ManagedFieldsEntry{Manager: labels.Manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: o.GetAPIVersion(), FieldsType: "FieldsV1"}
	err := setFields(&entry, taken)
	return append(entries, entry), err
}

func setFields(entry *metav1.ManagedFieldsEntry, fields *fieldpath.Set) error {
	raw, err := fields.ToJSON()
	if err != nil {
		return fmt.Errorf("write the managed fields of %s: %w", entry.Manager, err)
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return nil
}

// within returns the fields that are one of the paths or below one, and maps and lists
// above them in which nothing else remains.
func within(fields *fieldpath.Set, paths []fieldpath.Path) *fieldpath.Set {
	out := fieldpath.NewSet()
	for path := range fields.All() {
		if isWithin(path, paths) {
			out.Insert(path.Copy())
		}
	}
	rest := fields.Difference(out)
	for _, p := range paths {
		for i := len(p) - 1; i > 0; i-- {
			if above := p[:i]; fields.Has(above) && !HasBelow(rest, above) {
				out.Insert(above.Copy())
			}
		}
	}
	return out
}

// isWithin reports whether a field is one of the paths, or below one.
func isWithin(path fieldpath.Path, paths []fieldpath.Path) bool {
	for _, p := range paths {
		if len(path) >= len(p) && path[:len(p)].Equals(p) {
			return true
		}
	}
	return false
}
