package rollout

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// ListPods returns the pods of a service, except for those of Jobs: they serve no
// requests, and end by themselves.
func ListPods(ctx context.Context, c *client.Client, service string) ([]corev1.Pod, error) {
	pods, err := client.ListOf[corev1.Pod](ctx, c, client.Pods(), labels.PodSelector(service))
	return slices.DeleteFunc(pods, ownedByJob), err
}

// ownedByJob reports whether a pod belongs to a Job, also to one of a CronJob.
func ownedByJob(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Job" })
}

// ReleaseOf returns the release of a pod.
func ReleaseOf(pod corev1.Pod) delivery.ReleaseID {
	return delivery.ReleaseID(pod.Labels[labels.Release])
}

// OwnedByAny reports whether a pod belongs to one of the Deployments.
func OwnedByAny(pod corev1.Pod, deployments []string) bool {
	return slices.ContainsFunc(deployments, func(name string) bool { return OwnedBy(pod, name) })
}

// OwnedBy reports whether a pod belongs to a Deployment: it is named after its
// ReplicaSet, and that after the Deployment and its template.
func OwnedBy(pod corev1.Pod, deployment string) bool {
	replicaSet := deployment + "-" + pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	for _, o := range pod.OwnerReferences {
		if o.Kind == "ReplicaSet" && o.Name == replicaSet {
			return true
		}
	}
	return false
}
