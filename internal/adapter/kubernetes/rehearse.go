package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// DryRun lets the API server try everything. Namespaces and kinds that the
// release brings itself can't be tried before they are there.
func (t *Target) DryRun(ctx context.Context, o port.DeployRequest, say func(string)) error {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return err
	}
	if e.b, err = t.bundle(ctx, e.c, o); err != nil {
		return err
	}
	return e.rehearse(ctx)
}

func (e *entry) rehearse(ctx context.Context) error {
	e.say("asking the cluster whether it would take it")
	force := e.t.place.TakeOver || e.known(ctx)
	objects, err := e.withSecrets(ctx, e.b.all)
	if err != nil {
		return err
	}
	if err := e.owned(ctx); err != nil {
		return err
	}
	return e.c.applyAll(ctx, objects, manner{dry: true, force: force})
}

// known tells that the release was accepted here before: what it needs was ours
// then, and going back to it must not stop at what somebody scaled by hand.
func (e *entry) known(ctx context.Context) bool {
	c, err := e.t.LoadHistory(ctx, e.o.Service, e.o.Environment)
	if err != nil {
		return false
	}
	for _, d := range c.Deployments {
		if d.Release == e.o.ID && !d.ServingAt.IsZero() {
			return true
		}
	}
	return false
}

// owned refuses to take objects of another service or environment of Slipway's.
func (e *entry) owned(ctx context.Context) error {
	for _, o := range e.b.ours {
		live, err := e.c.get(ctx, deployments(), o.GetNamespace(), o.GetName())
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		l := live.GetLabels()
		if s, v := l[serviceLabel], l[environmentLabel]; s != "" && (s != e.o.Service || v != string(e.o.Environment)) {
			return fault.New(fault.Conflict, "%s in %s belongs to service %s in environment %s", title(o), e.c.where, s, v).
				Hint("give each environment a namespace of its own")
		}
	}
	return nil
}

// withSecrets leaves out Secrets whose values nobody handed to us, and makes sure
// that they are in the cluster: their names are those of their content.
func (e *entry) withSecrets(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		_, has := o.Object["data"]
		if o.GetKind() != "Secret" || has || o.GetAnnotations()["slipway.dev/keys"] == "" {
			out = append(out, o)
			continue
		}
		live, err := e.c.get(ctx, secrets(), o.GetNamespace(), o.GetName())
		if err != nil {
			return nil, err
		}
		if live == nil {
			return nil, fault.New(fault.NotFound, "bring in %s: its Secret %s is gone from %s, and no record has its values", e.o.ID, o.GetName(), e.c.where).
				Hint("deliver the commit anew: `slipway run --env %s`", e.o.Environment)
		}
	}
	return out, nil
}
