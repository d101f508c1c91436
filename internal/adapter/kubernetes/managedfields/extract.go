package managedfields

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Extract returns a copy of the object with the fields that the selected managers have
// set, and so without status, defaults and what controllers added. An object for which
// no manager is known is returned whole, without status.
func Extract(o *unstructured.Unstructured, selected func(string) bool) (*unstructured.Unstructured, error) {
	owners, err := Owners(o)
	if err != nil {
		return nil, err
	}
	fields, known := fieldpath.NewSet(), false
	for _, by := range owners {
		known = known || by.isVersion
		if by.isVersion && by.subresource == "" && selected(by.Manager) {
			fields = fields.Union(by.Fields)
		}
	}
	var body map[string]any
	if known {
		body, _ = extract(o.Object, fields).(map[string]any)
	} else {
		body = withoutServerFields(o)
	}
	out := &unstructured.Unstructured{Object: body}
	if out.Object == nil {
		out.Object = map[string]any{}
	}
	out.SetAPIVersion(o.GetAPIVersion())
	out.SetKind(o.GetKind())
	out.SetName(o.GetName())
	return out, nil
}

func withoutServerFields(o *unstructured.Unstructured) map[string]any {
	c := o.DeepCopy()
	delete(c.Object, "status")
	c.Object["metadata"] = map[string]any{}
	c.SetLabels(o.GetLabels())
	c.SetAnnotations(o.GetAnnotations())
	return c.Object
}

// extract copies what is in the set. A field that is in the set without any of its own
// fields is copied whole: it is a scalar, atomic, or empty.
func extract(v any, set *fieldpath.Set) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, field := range v {
			if copied, ok := extractElement(field, set, fieldpath.PathElement{FieldName: &name}); ok {
				out[name] = copied
			}
		}
		return out
	case []any:
		out := []any{}
		for i, item := range v {
			for _, pe := range elementsOf(set) {
				if !isItem(pe, i, item) {
					continue
				}
				if copied, ok := extractElement(item, set, pe); ok {
					out = append(out, withKey(copied, item, pe))
				}
				break
			}
		}
		return out
	}
	return v
}

func extractElement(v any, set *fieldpath.Set, pe fieldpath.PathElement) (any, bool) {
	if children, ok := set.Children.Get(pe); ok {
		return extract(v, children), true
	}
	return runtime.DeepCopyJSONValue(v), set.Members.Has(pe)
}

func elementsOf(set *fieldpath.Set) (all []fieldpath.PathElement) {
	add := func(pe fieldpath.PathElement) { all = append(all, pe) }
	set.Children.Iterate(add)
	set.Members.Iterate(add)
	return all
}

// withKey adds the fields by which the item of a list is found: a default among them
// need not be anyone's.
func withKey(copied, item any, pe fieldpath.PathElement) any {
	fields, ok := copied.(map[string]any)
	whole, isMap := item.(map[string]any)
	if !ok || !isMap || pe.Key == nil {
		return copied
	}
	for _, k := range *pe.Key {
		fields[k.Name] = whole[k.Name]
	}
	return fields
}
