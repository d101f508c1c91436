package drift

import (
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/slipway-cd/slipway/internal/textline"
)

// valueAt returns the value of a field; ok is false if it does not exist.
func valueAt(v any, path fieldpath.Path) (_ any, ok bool) {
	for _, e := range path {
		if v, ok = child(v, e); !ok {
			return nil, false
		}
	}
	return v, true
}

func child(v any, e fieldpath.PathElement) (any, bool) {
	if e.FieldName != nil {
		m, _ := v.(map[string]any)
		inner, ok := m[*e.FieldName]
		return inner, ok
	}
	list, _ := v.([]any)
	if i := itemIndex(list, e); i >= 0 {
		return list[i], true
	}
	return nil, false
}

// itemIndex returns where the item of a list is that a path names, or -1.
func itemIndex(list []any, e fieldpath.PathElement) int {
	switch {
	case e.Index != nil && *e.Index < len(list):
		return *e.Index
	case e.Value != nil:
		return slices.IndexFunc(list, func(v any) bool { return value.Equals(value.NewValueInterface(v), *e.Value) })
	case e.Key != nil:
		return slices.IndexFunc(list, func(v any) bool { return hasKeys(v, e) })
	}
	return -1
}

func hasKeys(v any, e fieldpath.PathElement) bool {
	item, _ := v.(map[string]any)
	for _, key := range *e.Key {
		if !value.Equals(value.NewValueInterface(item[key.Name]), key.Value) {
			return false
		}
	}
	return item != nil
}

// Remove removes fields from an object.
func Remove(o map[string]any, paths []fieldpath.Path) {
	for _, path := range paths {
		removeAt(o, path)
	}
}

// removeAt returns v without a field.
func removeAt(v any, path fieldpath.Path) any {
	e := path[0]
	if m, ok := v.(map[string]any); ok && e.FieldName != nil {
		name := *e.FieldName
		switch inner, exists := m[name]; {
		case !exists:
		case len(path) == 1:
			delete(m, name)
		default:
			m[name] = removeAt(inner, path[1:])
		}
		return m
	}
	list, ok := v.([]any)
	i := itemIndex(list, e)
	if !ok || i < 0 {
		return v
	}
	if len(path) == 1 {
		return slices.Delete(list, i, i+1)
	}
	list[i] = removeAt(list[i], path[1:])
	return list
}

// maxValueLength is how many characters of a value are shown.
const maxValueLength = 120

// redacted is what is shown of a Secret's values.
const redacted = "(redacted)"

// display returns a value for people: of an item that has a name and a value, such as
// a variable, only the value. A field that does not exist is "".
func display(o map[string]any, path fieldpath.Path, secret bool) string {
	v, ok := valueAt(o, path)
	if !ok {
		return ""
	}
	if root := *path[0].FieldName; secret && (root == "data" || root == "stringData") {
		return redacted
	}
	if item, ok := v.(map[string]any); ok && len(item) == 2 && item["name"] != nil && item["value"] != nil {
		v = item["value"]
	}
	if text, ok := v.(string); ok {
		return textline.Printable(text, maxValueLength)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return textline.Printable(fmt.Sprint(v), maxValueLength)
	}
	return textline.Printable(string(raw), maxValueLength)
}
