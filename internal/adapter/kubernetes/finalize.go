package kubernetes

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/port"
)

// Finalize completes the rollout of a release that was accepted, removes what no release
// needs that can come back, and lets the next run in.
func (t *Target) Finalize(ctx context.Context, o port.DeployRequest, report func(string)) error {
	op, err := t.begin(ctx, o, report)
	if err != nil {
		return err
	}
	if op.state.Traffic != o.ID {
		return t.release(ctx, o) // another run has deployed since
	}
	if op.set, err = t.objects(ctx, op.client, o); err != nil {
		return err
	}
	if err := op.leaveReplicas(ctx, op.set); err != nil {
		return err
	}
	if op.state.IsHeld(op.set) || !op.state.Runs(op.set) {
		if err := op.waitPropagation(ctx); err != nil {
			return err
		}
		if err := op.complete(ctx, op.set); err != nil {
			return err
		}
	}
	if err := op.prune(ctx, o.ID); err != nil {
		return err
	}
	if err := op.restoreReplicas(ctx); err != nil {
		return err
	}
	return t.release(ctx, o)
}

// restoreReplicas applies the recorded number of replicas of workloads whose autoscaler
// went with the release before.
func (op *operation) restoreReplicas(ctx context.Context) error {
	recorded, err := op.target.objects(ctx, op.client, op.request)
	if err != nil {
		return err
	}
	var left []*unstructured.Unstructured
	for i, d := range recorded.Workloads {
		_, named := manifest.Replicas(d)
		if _, applied := manifest.Replicas(op.set.Workloads[i]); named && !applied {
			left = append(left, d)
		}
	}
	if len(left) == 0 {
		return nil
	}
	scaled, err := autoscaledWorkloads(ctx, op.client)
	if err != nil {
		return err
	}
	return op.apply(ctx, slices.DeleteFunc(left, func(d *unstructured.Unstructured) bool { return scaled[client.Title(d)] != "" }))
}
