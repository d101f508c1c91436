package kubernetes

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ConfirmLive compares more strictly than Drift: what can't be read or was not applied by
// Slipway counts as a difference, and so does another release.
func (t *Target) ConfirmLive(ctx context.Context, o port.DeployRequest) ([]port.Drift, error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return nil, err
	}
	s, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil {
		return nil, err
	}
	if s.Traffic != o.ID {
		return []port.Drift{{Kind: "Service", Name: o.Service, Live: "leads to " + cmp.Or(string(s.Traffic), "no release")}}, nil
	}
	var out []port.Drift
	for _, job := range set.JobsToRun(false, true) {
		out = append(out, port.Drift{Kind: job.GetKind(), Name: job.GetName(), Live: "a rollback would run it"})
	}
	for _, obj := range slices.Concat(set.Workloads, set.Selecting(o.ID), set.Others) {
		if obj.GetKind() == "Job" {
			continue
		}
		found, err := t.confirm(ctx, c, s, obj)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// confirm compares one object with what is live, under the labels of the service.
func (t *Target) confirm(ctx context.Context, c *client.Client, s rollout.State, o *unstructured.Unstructured) ([]port.Drift, error) {
	live, err := liveIn(ctx, c, s, o)
	switch {
	case fault.Is(err, fault.Denied):
		if _, err := c.Apply(ctx, o, client.ApplyOptions{DryRun: true, Force: true}); fault.Is(err, fault.Denied) {
			return nil, nil // the way back could not write it either
		}
		return []port.Drift{{Kind: o.GetKind(), Name: o.GetName(), Live: "may not be read"}}, nil
	case err != nil:
		return nil, err
	case live != nil && live.GetLabels()[labels.Service] == "":
		return []port.Drift{{Kind: o.GetKind(), Name: o.GetName(), Live: "was not applied by Slipway"}}, nil
	}
	return t.driftOf(ctx, c, s, o)
}
