package drift

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// Take returns a JSON patch that makes Slipway the only owner of fields of a live
// object. It changes no value: the next apply removes the fields, and with them the
// pods change once. It fails if the object has changed since it was read. Without
// fields of others the patch is nil.
func Take(live *unstructured.Unstructured, paths []fieldpath.Path) ([]byte, error) {
	owners, err := ownersOf(live)
	if err != nil {
		return nil, err
	}
	taken := fieldpath.NewSet()
	entries := live.GetManagedFields()
	for i, by := range owners {
		if !by.isPerson() || by.subresource != "" {
			continue
		}
		theirs := within(by.fields, paths)
		taken = taken.Union(theirs)
		if err := setFields(&entries[i], by.fields.Difference(theirs)); err != nil {
			return nil, err
		}
	}
	if taken.Empty() {
		return nil, nil
	}
	if entries, err = addTaken(entries, owners, taken, live.GetAPIVersion()); err != nil {
		return nil, err
	}
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": withoutEmpty(entries)},
		// replaced and not tested: then it is a conflict, and not an invalid request
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
}

// addTaken adds fields to those that Slipway applies.
func addTaken(entries []metav1.ManagedFieldsEntry, owners []owner, taken *fieldpath.Set, version string) ([]metav1.ManagedFieldsEntry, error) {
	for i, by := range owners {
		if by.applies() {
			return entries, setFields(&entries[i], by.fields.Union(taken))
		}
	}
	entry := metav1.ManagedFieldsEntry{Manager: labels.Manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: version, FieldsType: "FieldsV1"}
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

// withoutEmpty leaves out managers that have nothing any more.
func withoutEmpty(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var out []metav1.ManagedFieldsEntry
	for _, entry := range entries {
		if entry.FieldsV1 == nil || entry.FieldsV1.GetRawString() != "{}" {
			out = append(out, entry)
		}
	}
	return out
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
			if above := p[:i]; fields.Has(above) && !hasBelow(rest, above) {
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
