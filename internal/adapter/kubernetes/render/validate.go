package render

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/fault"
)

// check refuses an object without an identity or with a form that can't be
// worked with, and drops what only a cluster writes.
func (o object) check() error {
	for _, field := range []string{"apiVersion", "kind"} {
		if o.text(field) == "" {
			return o.wrong("the object has no %s", field).Hint("every object needs apiVersion, kind and metadata.name")
		}
	}
	meta, err := o.metadata()
	if err != nil {
		return err
	}
	if meta["generateName"] != nil {
		return o.wrong("%s has metadata.generateName: its name would be another each time", o.text("kind")).
			Hint("give it a fixed metadata.name, so that the next release finds it again")
	}
	if name, _ := meta["name"].(string); name == "" || len(name) > longestName || strings.ContainsAny(name, "/ \t\n") {
		return o.wrong("%s has no usable metadata.name", o.text("kind")).Hint("it is text of at most %d characters, without spaces and slashes", longestName)
	}
	if _, ok := meta["namespace"].(string); meta["namespace"] != nil && !ok {
		return o.wrong("metadata.namespace of %s is not text", o.title()).Hint("put it into quotes")
	}
	if owners, _ := meta["ownerReferences"].([]any); meta["ownerReferences"] != nil && (owners == nil || len(owners) > 0) {
		return o.wrong("%s has metadata.ownerReferences: it belongs to another object of one cluster", o.title()).
			Hint("remove them: what owns the object makes it again")
	}
	o.clean(meta)
	if err := o.words(meta, "metadata"); err != nil {
		return err
	}
	return o.shape()
}

func (o object) metadata() (map[string]any, error) {
	meta, ok := o.body["metadata"].(map[string]any)
	if !ok {
		return nil, o.wrong("%s has no metadata", o.text("kind")).Hint("every object needs apiVersion, kind and metadata.name")
	}
	return meta, nil
}

func (o object) clean(meta map[string]any) {
	delete(o.body, "status")
	for _, k := range []string{"resourceVersion", "uid", "managedFields", "creationTimestamp", "generation", "selfLink", "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		delete(meta, k)
	}
	if meta["namespace"] == nil || meta["namespace"] == "" {
		delete(meta, "namespace")
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration") // it can hold a Secret's values
	}
}

// words checks that labels and annotations are text.
func (o object) words(meta map[string]any, at string) error {
	for _, field := range []string{"labels", "annotations"} {
		if meta[field] == nil {
			delete(meta, field)
			continue
		}
		words, ok := meta[field].(map[string]any)
		if !ok {
			return o.wrong("%s.%s of %s is not a map", at, field, o.title())
		}
		for k, v := range words {
			if _, ok := v.(string); !ok {
				return o.wrong("%s.%s of %s: %s is not text", at, field, o.title(), k).Hint("put the value into quotes")
			}
		}
		if len(words) == 0 {
			delete(meta, field)
		}
	}
	return nil
}

// shape checks of a pod template what the steps after it go through.
func (o object) shape() error {
	t, ok := template(o.body)
	if !ok {
		return nil
	}
	spec, ok := t["spec"].(map[string]any)
	if !ok {
		return o.wrong("the pod template of %s has no spec", o.title()).Hint("it needs spec.containers")
	}
	if t["metadata"] == nil {
		t["metadata"] = map[string]any{}
	}
	meta, ok := t["metadata"].(map[string]any)
	if !ok {
		return o.wrong("the pod template's metadata of %s is not a map", o.title())
	}
	delete(meta, "creationTimestamp")
	if err := o.words(meta, "the pod template's metadata"); err != nil {
		return err
	}
	if err := o.lists(spec, "pod template", "containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets"); err != nil {
		return err
	}
	for _, c := range everyContainer(spec) {
		if err := o.container(c); err != nil {
			return err
		}
	}
	return nil
}

func (o object) container(c map[string]any) error {
	name, _ := c["name"].(string)
	if name == "" {
		return o.wrong("a container of %s has no name", o.title())
	}
	if _, ok := c["image"].(string); c["image"] != nil && !ok {
		return o.wrong("the image of container %s of %s is not text", name, o.title())
	}
	if _, ok := c["resources"].(map[string]any); c["resources"] != nil && !ok {
		return o.wrong("the resources of container %s of %s are not a map", name, o.title())
	}
	return o.lists(c, "container "+name, "env", "envFrom", "volumeMounts")
}

// lists checks that these fields, where they are, are lists of maps.
func (o object) lists(of map[string]any, what string, fields ...string) error {
	for _, f := range fields {
		if of[f] == nil {
			delete(of, f)
			continue
		}
		l, ok := of[f].([]any)
		if !ok || len(mapsIn(l)) != len(l) {
			return o.wrong("%s of %s of %s is not a list of objects", f, what, o.title()).Hint("each entry begins with `- name:`")
		}
	}
	return nil
}

func (o object) wrong(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...).Location(o.place)
}

// text is a field of the object itself, or "".
func (o object) text(field string) string {
	s, _ := o.body[field].(string)
	return s
}

func (o object) meta(field string) string {
	m, _ := o.body["metadata"].(map[string]any)
	s, _ := m[field].(string)
	return s
}

// title is "Deployment retail-api", for people.
func (o object) title() string { return fmt.Sprintf("%s %s", o.text("kind"), o.meta("name")) }

func (o object) kind() schema.GroupKind { return kindOf(o.body) }

// key tells objects apart: the version of the API does not count, because it is
// the same object under each.
func (o object) key() string {
	return strings.Join([]string{o.kind().Group, o.kind().Kind, o.meta("namespace"), o.meta("name")}, "\x00")
}

func (o object) annotation(key string) string {
	m, _ := o.body["metadata"].(map[string]any)
	a, _ := m["annotations"].(map[string]any)
	s, _ := a[key].(string)
	return s
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }
