package kubernetes

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// podKind is a kind that runs pods, and where its pods' specification is.
type podKind struct {
	gvk  schema.GroupVersionKind
	spec []string
}

// podKinds lists owners before what they own.
func podKinds() []podKind {
	kind := func(group, name string, spec ...string) podKind {
		return podKind{schema.GroupVersionKind{Group: group, Version: "v1", Kind: name}, spec}
	}
	return []podKind{
		kind("apps", "Deployment", "spec", "template", "spec"), kind("apps", "ReplicaSet", "spec", "template", "spec"),
		kind("apps", "StatefulSet", "spec", "template", "spec"), kind("apps", "DaemonSet", "spec", "template", "spec"),
		kind("batch", "CronJob", "spec", "jobTemplate", "spec", "template", "spec"), kind("batch", "Job", "spec", "template", "spec"),
		kind("", "Pod", "spec"),
	}
}

// FindLatest looks at everything in the namespace that runs pods, whoever made it. Kinds
// that the role may not list are found by their pods.
func (t *Target) FindLatest(ctx context.Context, repository string) ([]string, error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	read := map[string]bool{} // kinds whose objects were looked at
	for _, k := range podKinds() {
		kind, err := c.KindOf(ctx, k.gvk)
		if err != nil {
			return nil, err
		}
		objects, err := c.List(ctx, kind, "")
		if fault.Is(err, fault.Denied) && k.gvk.Kind != "Pod" {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			owner := metav1.GetControllerOf(&o)
			if owner != nil && read[owner.Kind] || !t.runsLatest(o, k.spec, repository) {
				continue
			}
			found = append(found, ownerName(owner, k.gvk.Kind, o.GetName()))
		}
		read[k.gvk.Kind] = true
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// ownerName names the owner of an object that could not be looked at, or the object.
func ownerName(owner *metav1.OwnerReference, kind, name string) string {
	if owner != nil {
		kind, name = owner.Kind, owner.Name
	}
	return causeLine(kind + " " + name)
}

// runsLatest reports whether a container's image is the repository's by the tag latest,
// or by none, which is the same.
func (t *Target) runsLatest(o unstructured.Unstructured, spec []string, repository string) bool {
	for _, list := range []string{"initContainers", "containers"} {
		containers, _, _ := unstructured.NestedSlice(o.Object, slices.Concat(spec, []string{list})...) // the API has checked its form
		for _, c := range containers {
			fields, _ := c.(map[string]any)
			image, _ := fields["image"].(string)
			if isLatest(image) && repositoryOf(image, t.section.Registry) == delivery.QualifyRepository(repository) {
				return true
			}
		}
	}
	return false
}

func isLatest(image string) bool {
	name := delivery.RepositoryOf(image)
	return image != "" && (image == name || strings.TrimPrefix(image, name) == ":latest")
}
