package rollout

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// ListPods returns the pods of a service.
func ListPods(ctx context.Context, c *client.Client, service string) ([]corev1.Pod, error) {
	return client.ListOf[corev1.Pod](ctx, c, client.Pods(), labels.PodSelector(service))
}

// ReleaseOf returns the release of a pod.
func ReleaseOf(pod corev1.Pod) delivery.ReleaseID {
	return delivery.ReleaseID(pod.Labels[labels.Release])
}

// OwnedBy reports whether a pod belongs to a Deployment: it is named after its
// ReplicaSet, and that after the Deployment and its template.
func OwnedBy(pod corev1.Pod, deployment string) bool {
	replicaSet := deployment + "-" + pod.Labels["pod-template-hash"]
	for _, o := range pod.OwnerReferences {
		if o.Kind == "ReplicaSet" && o.Name == replicaSet {
			return true
		}
	}
	return false
}
