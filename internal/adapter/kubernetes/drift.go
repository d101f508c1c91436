package kubernetes

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/drift"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Drift compares the objects of the release with what a server-side dry run would make
// of the live ones.
func (t *Target) Drift(ctx context.Context, o port.DeployRequest) ([]port.Drift, error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return nil, err
	}
	s, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil || s.Staged() != "" || s.Traffic != "" && s.Traffic != o.ID {
		return nil, err // another release is on its way in
	}
	var out []port.Drift
	for _, obj := range slices.Concat(set.Workloads, set.Selecting(o.ID), set.Others) {
		found, err := t.driftOf(ctx, c, s, obj)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	for _, o := range set.Workloads {
		out = append(out, drift.Rollout(s.Deployments[o.GetName()])...)
	}
	return out, nil
}

// driftOf compares one object.
func (t *Target) driftOf(ctx context.Context, c *client.Client, s rollout.State, o *unstructured.Unstructured) ([]port.Drift, error) {
	if o.GetKind() == "Job" { // it may be gone once it has ended
		return nil, nil
	}
	live, err := liveIn(ctx, c, s, o)
	switch {
	case fault.Is(err, fault.Denied):
		return nil, nil // a role within a namespace may not read everything that a release has
	case err != nil:
		return nil, err
	case live == nil:
		return []port.Drift{{Kind: o.GetKind(), Name: o.GetName(), Missing: true}}, nil
	case live.GetLabels()[labels.Service] == "":
		return nil, nil // it was recorded as it is, and nothing has been deployed over it
	case manifest.IsImmutable(live) && manifest.IsImmutable(o), drift.Covers(live, o):
		return nil, nil // the name of what is immutable is that of its content
	}
	next, err := c.Apply(ctx, withKnownData(o, live), client.ApplyOptions{DryRun: true, Force: true})
	switch {
	case fault.Is(err, fault.Failed), fault.Is(err, fault.Conflict):
		return []port.Drift{{Kind: o.GetKind(), Name: o.GetName(), Live: "the recorded object can no longer be applied: " + causeLine(err.Error())}}, nil
	case err != nil:
		return nil, err
	}
	return drift.Compare(live, next)
}

// liveIn returns an object as it is in the cluster, or nil. Deployments and Services were
// read with the state.
func liveIn(ctx context.Context, c *client.Client, s rollout.State, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if live := s.Deployments[o.GetName()]; live != nil && o.GetKind() == "Deployment" {
		return live, nil
	}
	for _, svc := range s.Services {
		if o.GetKind() == "Service" && svc.GetName() == o.GetName() {
			return svc, nil
		}
	}
	return getLive(ctx, c, o)
}

// getLive returns an object as it is in the cluster, or nil.
func getLive(ctx context.Context, c *client.Client, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	kind, err := c.KindOf(ctx, o.GroupVersionKind())
	if client.IsPrerequisiteMissing(err) {
		return nil, nil //nolint:nilnil // documented: it does not exist
	}
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, kind, o.GetNamespace(), o.GetName())
}

// withKnownData returns a Secret whose values are not recorded with those that are
// live, so that they are not taken for a difference.
func withKnownData(o, live *unstructured.Unstructured) *unstructured.Unstructured {
	_, hasData := o.Object["data"]
	if o.GetKind() != "Secret" || hasData || o.GetAnnotations()[labels.Keys] == "" {
		return o
	}
	out := o.DeepCopy()
	if data, ok := live.Object["data"]; ok {
		out.Object["data"] = data
	}
	return out
}

// takeAdded makes the release the only owner of what a person has added to a live
// object of the service, so that applying the release removes it. It does nothing to
// objects that Slipway has not applied before: a plan has not shown them.
func (op *operation) takeAdded(ctx context.Context, o, live *unstructured.Unstructured) (taken bool, err error) {
	if live == nil || op.state.Traffic == "" || live.GetLabels()[labels.Service] != op.request.Service || !managedfields.IsEdited(live) {
		return false, nil
	}
	next, err := op.client.Apply(ctx, o, client.ApplyOptions{DryRun: true, Force: true})
	if err != nil {
		return false, nil //nolint:nilerr // applying it reports the error
	}
	added, err := drift.Added(live, next)
	if err != nil || len(added) == 0 {
		return false, err
	}
	patch, err := managedfields.TakePaths(live, added)
	if err != nil || patch == nil {
		return false, err
	}
	for _, path := range added {
		op.report("removing " + strings.TrimPrefix(path.String(), ".") + " of " + client.Title(o) + ", which the release lacks")
	}
	kind, err := op.client.KindOf(ctx, o.GroupVersionKind())
	if err != nil {
		return false, err
	}
	_, err = op.patch(ctx, kind, live, types.JSONPatchType, patch)
	if apierrors.IsConflict(err) {
		return true, nil // it has changed: the next apply finds out
	}
	return true, err
}

// takeAddedToWorkloads does it before Deployments are applied, so that their pods
// change once. Those of the state were read when the operation began.
func (op *operation) takeAddedToWorkloads(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		live := op.state.Deployments[o.GetName()]
		if o.GetKind() != "Deployment" || live == nil || !managedfields.IsEdited(live) {
			continue
		}
		live, err := getLive(ctx, op.client, o)
		if err != nil {
			return err
		}
		if _, err := op.takeAdded(ctx, o, live); err != nil {
			return err
		}
	}
	return nil
}
