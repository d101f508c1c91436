package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// readyPodsOf lists the pods of a release that are ready to receive requests.
func readyPodsOf(ctx context.Context, c *client.Client, service string, id delivery.ReleaseID) ([]corev1.Pod, error) {
	pods, err := rollout.ListPods(ctx, c, service)
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		return rollout.ReleaseOf(pod) != id || !readiness.PodReady(&pod)
	}), err
}
