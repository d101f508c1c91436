package managedfields

import (
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// HasBelow reports whether a set has fields below a path.
func HasBelow(s *fieldpath.Set, path fieldpath.Path) bool {
	for _, e := range path {
		s = s.WithPrefix(e)
	}
	return !s.Empty()
}

// ValueAt returns the value of a field; ok is false if it does not exist.
func ValueAt(v any, path fieldpath.Path) (_ any, ok bool) {
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
	for i, item := range list {
		if isItem(e, i, item) {
			return i
		}
	}
	return -1
}

// isItem reports whether a path leads to the item of a list.
func isItem(e fieldpath.PathElement, i int, item any) bool {
	switch {
	case e.Key != nil:
		fields, ok := item.(map[string]any)
		for _, k := range *e.Key {
			ok = ok && fields[k.Name] != nil && value.Equals(value.NewValueInterface(fields[k.Name]), k.Value)
		}
		return ok
	case e.Value != nil:
		return value.Equals(value.NewValueInterface(item), *e.Value)
	}
	return e.Index != nil && *e.Index == i
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
