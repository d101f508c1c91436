package kubernetes

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// preStopSeconds is how long pods go on serving after their end was announced:
// kube-proxy looks once a second, and a busy one is late.
const preStopSeconds = int64(3)

// sleepHookVersion is the first minor version of Kubernetes 1 whose kubelets can wait
// without a program in the image (PodLifecycleSleepAction).
const sleepHookVersion = 30

// objects returns the request's objects for this place.
func (t *Target) objects(ctx context.Context, c *client.Client, o port.DeployRequest) (*manifest.Set, error) {
	opts := t.manifestOptions(o, c.Namespace())
	opts.Exclusive = true
	if c.MinorVersion(ctx) >= sleepHookVersion {
		opts.PreStopSeconds = preStopSeconds
	}
	return manifest.New(o, opts)
}

// manifestOptions returns how the request's objects are made for a namespace of this
// place, as far as that is known without a connection.
func (t *Target) manifestOptions(o port.DeployRequest, namespace string) manifest.Options {
	return manifest.Options{
		Registry: t.registryPrefix(o.Release.Image), Namespace: namespace,
		IsNamespaced: func(o *unstructured.Unstructured) bool { return client.IsNamespaced(o.GroupVersionKind()) },
	}
}

// registryPrefix returns what goes before the names of images in the embedded registry.
func (t *Target) registryPrefix(img delivery.Image) string {
	if t.section.Registry == "" || !isEmbedded(img.Repository) {
		return ""
	}
	return t.section.Registry + "/"
}

// currentObjects returns what receives the traffic, as it was recorded; nil if nothing
// does. An unsigned record is fault.NotFound.
func (t *Target) currentObjects(ctx context.Context, c *client.Client, s rollout.State, o port.DeployRequest) (*manifest.Set, error) {
	if s.Traffic == "" {
		return nil, nil
	}
	if s.Traffic == o.ID {
		return t.objects(ctx, c, o)
	}
	h, err := t.loadHistory(ctx, c, o.Service, o.Environment)
	if err != nil {
		return nil, err
	}
	all := instancesFor(o, h)
	i := slices.IndexFunc(all, func(i instance) bool { return i.name == s.Traffic })
	switch {
	case i >= 0 && all[i].unsigned:
		return nil, fault.New(fault.NotFound, "%s receives the traffic of %s, but the record of it in the cluster is not signed by a trusted key", s.Traffic, o.Environment).
			Hint("look at it with `slipway history show --env %[1]s`, and accept it with `slipway history accept --env %[1]s`", o.Environment)
	case i < 0:
		return nil, fault.New(fault.NotFound, "%s receives the traffic of %s, but the cluster has no record of it", s.Traffic, o.Environment).
			Hint("deploy it again: `slipway rollback --env %s --to %s`", o.Environment, s.Traffic.Base())
	}
	current := o
	current.ID, current.Release, current.Secrets = all[i].name, all[i].release, nil
	return t.objects(ctx, c, current)
}
