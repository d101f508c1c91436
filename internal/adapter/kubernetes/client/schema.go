package client

import (
	"reflect"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/slipway-cd/slipway/internal/fault"
)

// schemaPhrase is in the message for an object that has not the shape of its kind.
// Its code is 500, but trying again won't help.
const schemaPhrase = "create typed patch object"

// schemaError shows what is wrong in the object, without what the message says before.
type schemaError struct{ err error }

// Error lists the fields in one line.
func (e schemaError) Error() string {
	_, text, ok := strings.Cut(e.err.Error(), "): ")
	if !ok {
		return e.err.Error()
	}
	lines := strings.Split(strings.TrimPrefix(text, "errors:"), "\n")
	var fields []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			fields = append(fields, line)
		}
	}
	return strings.Join(fields, "; ")
}

// Unwrap returns the API server's error.
func (e schemaError) Unwrap() error { return e.err }

// undeclaredPattern finds a field that the kind does not have.
var undeclaredPattern = regexp.MustCompile(`(\S+): field not declared in schema`)

// schemaHint returns how to correct an object that has not the shape of its kind.
func schemaHint(gvk schema.GroupVersionKind, message string) string {
	m := undeclaredPattern.FindStringSubmatch(message)
	if m == nil {
		return "correct the field in the manifests: `kubectl explain " + strings.ToLower(gvk.Kind) + "` describes them"
	}
	path := splitFieldPath(m[1])
	hint := "correct its name or its place in the manifests"
	if len(path) == 0 {
		return hint
	}
	known := fieldsAt(gvk, path[:len(path)-1])
	if near, ok := fault.Nearest(path[len(path)-1], known); ok {
		return "did you mean " + near + "?"
	}
	return hint
}

// fieldPattern matches one name of a path, or the selector of a list's element.
var fieldPattern = regexp.MustCompile(`\[[^\]]*\]|\.([^.\[\]]+)`)

// splitFieldPath returns the names in .spec.containers[name="api"].image.
func splitFieldPath(path string) (names []string) {
	for _, m := range fieldPattern.FindAllStringSubmatch(path, -1) {
		if m[1] != "" {
			names = append(names, m[1])
		}
	}
	return names
}

// fieldsAt returns the names of an object's fields at a path; none of a kind that is
// not part of Kubernetes.
func fieldsAt(gvk schema.GroupVersionKind, path []string) []string {
	o, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil
	}
	fields := jsonFields(reflect.TypeOf(o))
	for _, name := range path {
		t, ok := fields[name]
		if !ok {
			return nil
		}
		fields = jsonFields(t)
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	return names
}

// jsonFields returns the fields of a struct, or of what a pointer, list or map holds,
// by their names in JSON.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	out := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return out
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			for inner, typ := range jsonFields(f.Type) {
				out[inner] = typ
			}
		case name != "" && name != "-":
			out[name] = f.Type
		}
	}
	return out
}
