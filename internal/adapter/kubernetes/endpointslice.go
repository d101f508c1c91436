package kubernetes

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/wait"
)

// propagationDelay is how long the nodes may take to follow a change of the
// EndpointSlices: by default they look once a second.
const propagationDelay = 1500 * time.Millisecond

// waitPropagation waits until requests no longer go to pods of other releases, so that
// these can end. Pods with a preStop hook give the nodes the time themselves.
func (op *operation) waitPropagation(ctx context.Context) error {
	pods, err := rollout.ListPods(ctx, op.client, op.request.Service)
	if err != nil {
		return err
	}
	others, allHavePreStop := map[string]bool{}, true
	leading := slices.Concat(op.set.Services, op.state.Services)
	for _, pod := range pods {
		if rollout.ReleaseOf(pod) != op.request.ID && pod.DeletionTimestamp == nil && rollout.Serves(leading, pod) {
			others[pod.Name] = true
			allHavePreStop = allHavePreStop && hasPreStop(pod)
		}
	}
	if len(others) == 0 {
		return nil
	}
	err = wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		for _, svc := range op.set.Services {
			endpoints, err := endpointsOf(ctx, op.client, svc.GetName())
			if err != nil || slices.ContainsFunc(endpoints, func(pod string) bool { return others[pod] }) {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil || allHavePreStop {
		return err
	}
	return wait.Sleep(ctx, propagationDelay)
}

// hasPreStop reports whether a pod goes on serving for a while when its end is
// announced.
func hasPreStop(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	})
}

// endpointsOf returns the names of the pods to which a Service sends requests.
func endpointsOf(ctx context.Context, c *client.Client, service string) ([]string, error) {
	slices, err := client.ListOf[discoveryv1.EndpointSlice](ctx, c, client.EndpointSlices(), discoveryv1.LabelServiceName+"="+service)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range slices {
		for _, e := range s.Endpoints {
			if e.TargetRef != nil {
				names = append(names, e.TargetRef.Name)
			}
		}
	}
	return names, nil
}
