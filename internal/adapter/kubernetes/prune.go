package kubernetes

import (
	"context"
	"slices"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// objectRef names an object of a release.
type objectRef struct {
	kind            client.Kind
	namespace, name string
	title           string
	immutable       bool // its name is that of its content
}

// prune removes what releases brought and the remaining one does not need. Immutable
// content that another good release would need again is kept: a rollback to it needs
// the values of its Secrets, which are nowhere else. An unsigned record names nothing to
// remove, unless everything goes.
func (op *operation) prune(ctx context.Context, remaining delivery.ReleaseID) error {
	if err := op.removeCanaryServices(ctx); err != nil {
		return err
	}
	h, err := op.target.loadHistory(ctx, op.client, op.request.Service, op.request.Environment)
	if err != nil {
		return err
	}
	keep, all := map[objectRef]bool{}, []objectRef{}
	for _, i := range instancesFor(op.request, h) {
		refs, err := removableObjects(ctx, op.client, i.release)
		if err != nil {
			return err
		}
		good := !i.held && remaining != "" && (i.unsigned || wasAccepted(h, i.name))
		for _, ref := range refs {
			if i.name == remaining || good && ref.immutable {
				keep[ref] = true
			}
			if (!i.unsigned || remaining == "") && !slices.Contains(all, ref) {
				all = append(all, ref)
			}
		}
	}
	for _, ref := range slices.Backward(all) { // what was applied last goes first
		if keep[ref] {
			continue
		}
		if err := op.remove(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// removeCanaryServices removes the Services that led to a canary; the routes lead
// elsewhere by then.
func (op *operation) removeCanaryServices(ctx context.Context) error {
	for _, svc := range op.state.Canaries {
		ref := objectRef{kind: client.Services(), namespace: svc.GetNamespace(), name: svc.GetName(), title: client.Title(svc)}
		if err := op.remove(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// removableObjects returns the objects of a release that may be removed.
func removableObjects(ctx context.Context, c *client.Client, rel delivery.Release) ([]objectRef, error) {
	if rel.Objects == "" {
		return nil, nil
	}
	objects, err := render.Parse(rel.Objects)
	if err != nil {
		return nil, err
	}
	var out []objectRef
	for _, o := range objects {
		if manifest.IsPersistent(o) {
			continue
		}
		kind, err := c.KindOf(ctx, o.GroupVersionKind())
		if ctx.Err() != nil {
			return nil, waitEnded(ctx, "list the objects of a release to remove", context.Cause(ctx))
		}
		if err != nil {
			continue // the kind is gone, and its objects with it
		}
		ref := objectRef{kind: kind, name: o.GetName(), title: client.Title(o), immutable: manifest.IsImmutable(o)}
		if kind.Namespaced {
			if ref.namespace = o.GetNamespace(); ref.namespace == "" {
				ref.namespace = c.Namespace()
			}
		}
		out = append(out, ref)
	}
	return out, nil
}

// remove removes an object if it exists and belongs to the environment: objects of
// others with the same name stay.
func (op *operation) remove(ctx context.Context, ref objectRef) error {
	live, err := op.client.Get(ctx, ref.kind, ref.namespace, ref.name)
	if err != nil || live == nil {
		return err
	}
	l := live.GetLabels()
	if l[labels.Service] != op.request.Service || l[labels.Environment] != string(op.request.Environment) || l[labels.ManagedBy] != labels.Manager {
		return nil
	}
	op.report("removing " + ref.title)
	return op.delete(ctx, ref.kind, live)
}

// removeAll removes every release, and waits until its pods have ended.
func (op *operation) removeAll(ctx context.Context) error {
	if err := op.prune(ctx, ""); err != nil {
		return err
	}
	start := op.client.Now()
	err := wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		op.client.ForgetLists()
		pods, err := rollout.ListPods(ctx, op.client, op.request.Service)
		if err != nil || len(pods) == 0 {
			return err == nil, err
		}
		if op.client.Now().Sub(start) > maxWait {
			return false, fault.New(fault.Exhausted, "pod %s of %s still exists %s after its workload was removed", pods[0].Name, op.request.Service, maxWait).
				Hint("check that its node is up; if it is gone, delete the pod with --force")
		}
		return false, nil
	})
	return waitEnded(ctx, "wait for the end of the pods of "+op.request.Service, err)
}
