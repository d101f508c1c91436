package kubernetes

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Names that we give to things in a cluster.
const (
	manager   = "slipway" // of fields
	managedBy = "app.kubernetes.io/managed-by"

	serviceLabel     = "slipway.dev/service"
	environmentLabel = "slipway.dev/environment"
	releaseLabel     = "slipway.dev/release" // of pods and selectors; an annotation of everything else
	recordLabel      = "slipway.dev/record"

	hostAnnotation = "slipway.dev/host"  // of the lock: where its holder runs
	heldAnnotation = "slipway.dev/held"  // of a Deployment: the release that is beside the one that serves
	fenceMark      = "slipway.dev/fence" // of a Service: the lock's number when it was switched, and the time
)

// labelsOf selects everything of a service in an environment.
func labelsOf(service string, env delivery.Environment) string {
	return fmt.Sprintf("%s=%s,%s=%s", serviceLabel, service, environmentLabel, env)
}

// bundle is a release's objects as they are to be in a place, by what is done
// with them.
type bundle struct {
	order port.DeployRequest
	all   []*unstructured.Unstructured

	ours    []*unstructured.Unstructured // Deployments that run the release's image
	entries []*unstructured.Unstructured // Services that select one of them
	rest    []*unstructured.Unstructured // in the order of application
}

// bundle makes the order's objects for this place.
func (t *Target) bundle(ctx context.Context, c *cluster, o port.DeployRequest) (*bundle, error) {
	rel := o.Release
	if rel.Objects == "" {
		return nil, fault.New(fault.Invalid, "bring %s into %s: it has no Kubernetes objects, it was made for another target", o.ID, o.Environment).
			Hint("deliver its commit here: `slipway run --env %s`", o.Environment)
	}
	if got := (port.Rendered{Objects: rel.Objects}).Digest(); got != rel.Manifests {
		return nil, fault.New(fault.Corrupt, "the objects of %s are %s, but it pins %s", o.ID, got.Short(), rel.Manifests.Short())
	}
	parsed, err := render.Parse(rel.Objects)
	if err != nil {
		return nil, err
	}
	stamp := render.Stamp{
		Service: o.Service, Environment: o.Environment, Release: o.ID,
		Image: rel.Image, RegistryPrefix: t.prefix(rel.Image), Secrets: o.Secrets, PreStopSeconds: c.linger(ctx),
	}
	b := &bundle{order: o, all: stamp.Apply(parsed)}
	for i, obj := range b.all {
		if parsed[i].GetKind() == "Deployment" && render.RunsImage(parsed[i], rel.Image) {
			b.ours = append(b.ours, obj)
		}
		if k, ok := common()[obj.GroupVersionKind()]; ok && k.namespaced && obj.GetNamespace() == "" {
			obj.SetNamespace(c.namespace)
		}
	}
	for _, obj := range b.all {
		b.sort(obj)
	}
	return b, b.complete()
}

// prefix is put before images that are in Slipway's own registry.
func (t *Target) prefix(img delivery.Image) string {
	first, _, deeper := strings.Cut(img.Repository, "/")
	if t.place.Registry == "" || deeper && strings.ContainsAny(first, ".:") {
		return ""
	}
	return t.place.Registry + "/"
}

func (b *bundle) sort(obj *unstructured.Unstructured) {
	for _, d := range b.ours {
		switch {
		case d == obj:
			return
		case obj.GetKind() == "Service" && render.Selects(obj, d):
			b.entries = append(b.entries, obj)
			return
		}
	}
	b.rest = append(b.rest, obj)
}

// complete refuses a release that nobody could reach, or that could not be told
// from another.
func (b *bundle) complete() error {
	for _, d := range b.ours {
		found := false
		for _, s := range b.entries {
			found = found || render.Selects(s, d)
		}
		if found {
			return nil
		}
	}
	if len(b.ours) == 0 {
		return fault.New(fault.Invalid, "no Deployment of %s runs its image", b.order.ID).
			Hint("a release is brought in by Deployments; StatefulSets, DaemonSets and Jobs can only stand beside them")
	}
	return fault.New(fault.Invalid, "no Service of %s selects its Deployment %s: nobody could reach it", b.order.ID, b.ours[0].GetName()).
		Hint("add a Service whose selector has labels of the pod template")
}

// held are the workloads with the brake on: up to surge pods beside those that
// are there.
func (b *bundle) held(surge func(*unstructured.Unstructured) int64) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, d := range b.ours {
		out = append(out, brake(d, b.order.ID, surge(d)))
	}
	return out
}

// pinned are the Services that select only the release's pods; an empty id: the
// pods of all releases.
func (b *bundle) pinned(id delivery.ReleaseID) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, s := range b.entries {
		out = append(out, pin(s, id))
	}
	return out
}

// key names an object across releases.
func key(o *unstructured.Unstructured) string {
	gk := o.GroupVersionKind().GroupKind()
	return gk.String() + " " + o.GetNamespace() + "/" + o.GetName()
}

// title names an object for people.
func title(o *unstructured.Unstructured) string { return o.GetKind() + " " + o.GetName() }
