package kubernetes

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/fault"
)

// autoscaledWorkloads returns which workloads of the namespace an autoscaler scales, as
// "Deployment api", each with the autoscaler's title. KEDA scales by an autoscaler, too.
// Those that others have made count; with no right to read any, there is none.
func autoscaledWorkloads(ctx context.Context, c *client.Client) (map[string]string, error) {
	autoscalers, err := client.ListOf[autoscalingv2.HorizontalPodAutoscaler](ctx, c, client.Autoscalers(), "")
	if fault.Is(err, fault.Denied) {
		return map[string]string{}, nil
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
		if now, ok := manifest.Replicas(live); named && ok && (now != n || managedfields.ReplicasManager(live) != labels.Manager) {
			candidates = append(candidates, d)
		}
	}
	left := map[string]string{}
	if len(candidates) == 0 {
		return left, nil
	}
	scaled, err := autoscaledWorkloads(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, d := range candidates {
		if by := scaled[client.Title(d)]; by != "" {
			now, _ := manifest.Replicas(deployments[d.GetName()])
			left[client.Title(d)] = fmt.Sprintf("replicas of %s stay %d: %s scales it", client.Title(d), now, by)
			manifest.RemoveReplicas(d)
		}
	}
	return left, nil
}

// maxHandOverAttempts is how often a workload that changes concurrently is read again.
const maxHandOverAttempts = 10

// replicaKeeper keeps the number of pods of workloads whose manifest does not name it.
type replicaKeeper struct {
	client      *client.Client
	lease       *lease.Lease
	deployments map[string]*unstructured.Unstructured // live ones, by name
}

// keep makes sure that workloads keep their number of pods although what is
// applied does not name it. An applier that no longer names a field that it alone has
// set removes it, and the API's default is one pod: so another manager has it, too,
// until a scaler changes it.
func (k replicaKeeper) keep(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if _, named := manifest.Replicas(o); named || !manifest.IsScalable(o) {
			continue
		}
		live := k.deployments[o.GetName()]
		if o.GetKind() == "Deployment" && (live == nil || managedfields.ReplicasManager(live) != labels.Manager) {
			continue
		}
		if err := k.handOver(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// handOver lets labels.ReplicasManager own the live number of replicas, if we
// alone do. The number must not change meanwhile: the check and the change are one.
func (k replicaKeeper) handOver(ctx context.Context, o *unstructured.Unstructured) error {
	kind, err := k.client.KindOf(ctx, o.GroupVersionKind())
	if err != nil {
		return err
	}
	for range maxHandOverAttempts {
		live, err := k.client.Get(ctx, kind, o.GetNamespace(), o.GetName())
		if err != nil || live == nil || managedfields.ReplicasManager(live) != labels.Manager {
			return err
		}
		err = k.apply(ctx, kind, live)
		if !apierrors.IsConflict(err) {
			return client.Explain("keep the replicas of "+client.Title(o), err)
		}
	}
	return fault.New(fault.Conflict, "keep the replicas of %s: it keeps changing concurrently", client.Title(o))
}

func (k replicaKeeper) apply(ctx context.Context, kind client.Kind, live *unstructured.Unstructured) error {
	bounded, cancel, err := k.lease.Guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = k.client.In(kind, live.GetNamespace()).Apply(bounded, live.GetName(), manifest.OnlyReplicas(live),
		metav1.ApplyOptions{FieldManager: labels.ReplicasManager})
	return err
}
