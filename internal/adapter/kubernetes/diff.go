package kubernetes

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/drift"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Diff returns what the release would change, from a server-side dry run.
func (t *Target) Diff(ctx context.Context, o port.DeployRequest) ([]port.Change, error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return nil, err
	}
	state, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil {
		return nil, err
	}
	takeFrom, err := t.takeFrom(ctx, c, state, o, set)
	if err != nil {
		return nil, err
	}
	jobs, err := unrunJobs(ctx, c, set, state.Traffic == "", o.Rollback)
	if err != nil {
		return nil, err
	}
	left, err := leaveReplicas(ctx, c, state.Deployments, set)
	if err != nil {
		return nil, err
	}
	for _, d := range set.Workloads { // silent ones keep their number
		if n, ok := manifest.Replicas(state.Deployments[d.GetName()]); ok {
			if _, named := manifest.Replicas(d); !named {
				manifest.SetReplicas(d, n)
			}
		}
	}
	h, err := t.loadHistory(ctx, c, o.Service, o.Environment)
	if err != nil {
		return nil, err
	}
	force := t.section.TakeOver || wasAccepted(h, o.ID) // as a dry run does
	var changes []port.Change
	applied := map[string]bool{}
	for _, obj := range slices.Concat(jobs, set.Others, set.Workloads, set.Selecting(o.ID)) {
		applied[manifest.Key(obj)] = true
		change, err := t.diffObject(ctx, c, obj, force, takeFrom)
		if err != nil {
			return nil, err
		}
		if text := left[client.Title(obj)]; text != "" && change.Action == port.ChangeUpdate {
			change.Diff = "# " + text + "\n" + change.Diff
		}
		if change.Action != "" {
			changes = append(changes, change)
		}
	}
	removals, err := t.diffRemovals(ctx, c, state, o, applied)
	return append(changes, removals...), err
}

// diffObject compares an object as it is with what it would be.
func (t *Target) diffObject(ctx context.Context, c *client.Client, o *unstructured.Unstructured, force bool, takeFrom func(string) bool) (port.Change, error) {
	out := port.Change{Kind: o.GetKind(), Name: o.GetName()}
	live, err := getLive(ctx, c, o)
	if err != nil && !fault.Is(err, fault.Denied) {
		return out, err
	}
	if live != nil {
		o = withKnownData(o, live)
	}
	next, err := c.Apply(ctx, o, client.ApplyOptions{DryRun: true, Force: force, TakeFrom: takeFrom})
	if err != nil && (client.IsPrerequisiteMissing(err) || fault.Is(err, fault.Denied) && o.GetKind() == "Namespace") {
		next, err = o, nil
	}
	if err != nil {
		return out, err
	}
	if err := removeAdded(live, next); err != nil {
		return out, err
	}
	before, after := manifest.YAML(live), manifest.YAML(next)
	switch {
	case live == nil:
		out.Action = port.ChangeCreate
	case before != after:
		out.Action = port.ChangeUpdate
	default:
		return out, nil
	}
	out.Diff = manifest.Diff(before, after)
	return out, nil
}

// removeAdded removes from what a dry run has made what a run will remove.
func removeAdded(live, next *unstructured.Unstructured) error {
	if live == nil || live.GetLabels()[labels.Service] == "" || !managedfields.IsEdited(live) {
		return nil
	}
	added, err := drift.Added(live, next)
	if err == nil {
		managedfields.Remove(next.Object, added)
	}
	return err
}

// diffRemovals returns the objects of the current release that the request's lacks.
func (t *Target) diffRemovals(ctx context.Context, c *client.Client, s rollout.State, o port.DeployRequest, applied map[string]bool) ([]port.Change, error) {
	if s.Traffic == "" || s.Traffic == o.ID {
		return nil, nil
	}
	current, err := t.currentObjects(ctx, c, s, o)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var changes []port.Change
	for _, obj := range current.All {
		if !manifest.IsPersistent(obj) && !applied[manifest.Key(obj)] && !manifest.IsImmutable(obj) { // immutable ones stay for a rollback
			changes = append(changes, port.Change{Action: port.ChangeRemove, Kind: obj.GetKind(), Name: obj.GetName()})
		}
	}
	return changes, nil
}
