package render

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/fault"
)

// object is one Kubernetes object and its location: "k8s/api.yaml:12".
type object struct {
	body     map[string]any
	location string
}

func (o object) errorf(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...).Location(o.location)
}

// stringField returns a top-level string field, or "".
func (o object) stringField(field string) string {
	s, _ := o.body[field].(string)
	return s
}

func (o object) metaString(field string) string {
	m, _ := o.body["metadata"].(map[string]any)
	s, _ := m[field].(string)
	return s
}

// displayName returns "Deployment retail-api", for messages.
func (o object) displayName() string {
	return fmt.Sprintf("%s %s", o.stringField("kind"), o.metaString("name"))
}

func (o object) groupKind() schema.GroupKind { return groupKindOf(o.body) }

// identity returns a key that distinguishes objects. It excludes the API version: the
// object is the same under each.
func (o object) identity() string {
	return strings.Join([]string{o.groupKind().Group, o.groupKind().Kind, o.metaString("namespace"), o.metaString("name")}, "\x00")
}

func (o object) annotation(key string) string {
	m, _ := o.body["metadata"].(map[string]any)
	a, _ := m["annotations"].(map[string]any)
	s, _ := a[key].(string)
	return s
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// maxNameLength is the API's limit of an object's name.
const maxNameLength = 253
