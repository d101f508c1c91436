package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/fault"
)

// autoscaledWorkloads returns which workloads of the namespace an autoscaler scales, as
// "Deployment api", each with the autoscaler's title. KEDA scales by an autoscaler, too.
// Those that others have made count; with no right to read any, there is none.
func autoscaledWorkloads(ctx context.Context, c *client.Client) (map[string]string, error) {
	autoscalers, err := client.ListOf[autoscalingv2.HorizontalPodAutoscaler](ctx, c, client.Autoscalers(), "")
	if fault.Is(err, fault.Denied) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	scaled := map[string]string{}
	for _, h := range autoscalers {
		if h.DeletionTimestamp == nil {
			ref := h.Spec.ScaleTargetRef
			scaled[ref.Kind+" "+ref.Name] = "HorizontalPodAutoscaler " + h.Name
		}
	}
	return scaled, nil
}

// leaveReplicas removes the number of replicas from workloads of the set that an
// autoscaler scales: the live number is its decision. It returns what it left, by the
// workload's title.
func leaveReplicas(ctx context.Context, c *client.Client, deployments map[string]*unstructured.Unstructured, set *manifest.Set) (map[string]string, error) {
	var candidates []*unstructured.Unstructured
	for _, d := range set.Workloads {
		live := deployments[d.GetName()]
		n, named := manifest.Replicas(d)
		if now, ok := manifest.Replicas(live); named && ok && (now != n || manifest.ReplicasManager(live) != labels.Manager) {
			candidates = append(candidates, d)
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	scaled, err := autoscaledWorkloads(ctx, c)
	if err != nil {
		return nil, err
	}
	left := map[string]string{}
	for _, d := range candidates {
		if by := scaled[client.Title(d)]; by != "" {
			now, _ := manifest.Replicas(deployments[d.GetName()])
			left[client.Title(d)] = fmt.Sprintf("replicas of %s stay %d: %s scales it", client.Title(d), now, by)
			manifest.RemoveReplicas(d)
		}
	}
	return left, nil
}

// leaveReplicas is leaveReplicas for a set that the operation applies.
func (op *operation) leaveReplicas(ctx context.Context, set *manifest.Set) error {
	left, err := leaveReplicas(ctx, op.client, op.state.Deployments, set)
	if err != nil {
		return err
	}
	for _, title := range slices.Sorted(maps.Keys(left)) {
		op.report(left[title])
	}
	return nil
}

// current returns what receives the traffic, as it is applied; nil if nothing does.
func (op *operation) current(ctx context.Context) (*manifest.Set, error) {
	set, err := op.target.currentObjects(ctx, op.client, op.state, op.request)
	if err != nil || set == nil {
		return nil, err
	}
	return set, op.leaveReplicas(ctx, set)
}

// keepReplicas makes sure that workloads keep their number of pods although what is
// applied does not name it. An applier that no longer names a field that it alone has
// set removes it, and the API's default is one pod: so another manager has it, too,
// until somebody scales the workload.
func (op *operation) keepReplicas(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if _, named := manifest.Replicas(o); named || !manifest.IsScalable(o) {
			continue
		}
		live := op.state.Deployments[o.GetName()]
		if o.GetKind() == "Deployment" && (live == nil || manifest.ReplicasManager(live) != labels.Manager) {
			continue
		}
		if err := op.handOverReplicas(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// handOverReplicas lets labels.ReplicasManager own the live number of replicas, if we
// alone do. The number must not change meanwhile: the check and the change are one.
func (op *operation) handOverReplicas(ctx context.Context, o *unstructured.Unstructured) error {
	kind, err := op.client.KindOf(ctx, o.GroupVersionKind())
	if err != nil {
		return err
	}
	for range maxSwitchAttempts {
		live, err := op.client.Get(ctx, kind, o.GetNamespace(), o.GetName())
		if err != nil || live == nil || manifest.ReplicasManager(live) != labels.Manager {
			return err
		}
		err = op.applyReplicas(ctx, kind, live)
		if !apierrors.IsConflict(err) {
			return client.Explain("keep the replicas of "+client.Title(o), err)
		}
	}
	return fault.New(fault.Conflict, "keep the replicas of %s: it keeps changing concurrently", client.Title(o))
}

func (op *operation) applyReplicas(ctx context.Context, kind client.Kind, live *unstructured.Unstructured) error {
	bounded, cancel, err := op.lease.Guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = op.client.In(kind, live.GetNamespace()).Apply(bounded, live.GetName(), manifest.OnlyReplicas(live),
		metav1.ApplyOptions{FieldManager: labels.ReplicasManager})
	return err
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
