package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// propagationDelay is how long the nodes may take to follow a change of the
// EndpointSlices: by default they look once a second.
const propagationDelay = 1500 * time.Millisecond

// propagation returns how long the nodes may still route requests to others.
func (t *Target) propagation(o port.DeployRequest, state string) time.Duration {
	key, now := addressKey(o.Service, o.Environment, ""), t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := t.routed[key]; last.state == state {
		return max(0, propagationDelay-now.Sub(last.since))
	}
	t.routed[key] = routing{state, now}
	return propagationDelay
}

// waitPropagation waits until requests no longer go to pods of other releases, so that
// these can end. Pods with a preStop hook give the nodes the time themselves.
func (op *operation) waitPropagation(ctx context.Context) error {
	informers, err := op.watch(ctx)
	if err != nil {
		return err
	}
	now, err := informers.Snapshot()
	if err != nil {
		return err
	}
	others, allHavePreStop := map[string]bool{}, true
	leading := slices.Concat(op.set.Services, op.state.Services)
	for _, pod := range now.Pods {
		if rollout.ReleaseOf(pod) != op.request.ID && pod.DeletionTimestamp == nil && rollout.Serves(leading, pod) {
			others[pod.Name] = true
			allHavePreStop = allHavePreStop && hasPreStop(pod)
		}
	}
	if len(others) == 0 {
		return nil
	}
	err = op.waitNotRouted(ctx, others)
	if err != nil || allHavePreStop {
		return err
	}
	return waitEnded(ctx, "wait until the nodes follow the endpoints of "+op.request.Service, wait.Sleep(ctx, propagationDelay))
}

// hasPreStop reports whether a pod goes on serving for a while when its end is
// announced.
func hasPreStop(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	})
}

// maxPropagation is how long the endpoints of a Service may take to follow its selector.
const maxPropagation = time.Minute

// waitNotRouted waits until no endpoint of the set's Services is one of the pods.
func (op *operation) waitNotRouted(ctx context.Context, pods map[string]bool) error {
	var names []string
	for _, svc := range op.set.Services {
		names = append(names, svc.GetName())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxPropagation,
		fault.New(fault.Unavailable, "the endpoints of %s still lead to another release %s after its switch", strings.Join(names, ", "), maxPropagation).
			Hint("is the cluster's endpointslice controller running?"))
	defer cancel()
	err := watchNotRouted(ctx, op.client, names, pods)
	if fault.Is(err, fault.Denied) { // roles of earlier versions allow only to list them
		err = pollNotRouted(ctx, op.client, names, pods)
	}
	return err
}

func watchNotRouted(ctx context.Context, c *client.Client, services []string, pods map[string]bool) error {
	endpoints, err := c.WatchEndpoints(ctx, services)
	if err != nil {
		return err
	}
	defer endpoints.Close()
	for {
		found, err := endpoints.Slices()
		if err != nil || !leadTo(found, pods) {
			return err
		}
		select {
		case <-ctx.Done():
			return waitEnded(ctx, "wait until no endpoint of "+strings.Join(services, ", ")+" is left", context.Cause(ctx))
		case <-endpoints.Changed():
		}
	}
}

func pollNotRouted(ctx context.Context, c *client.Client, services []string, pods map[string]bool) error {
	err := wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		c.ForgetLists()
		found, err := client.ListOf[discoveryv1.EndpointSlice](ctx, c, client.EndpointSlices(), client.EndpointsSelector(services))
		return !leadTo(found, pods), err
	})
	return waitEnded(ctx, "wait until no endpoint of "+strings.Join(services, ", ")+" is left", err)
}

// leadTo reports whether an endpoint is one of the pods.
func leadTo(found []discoveryv1.EndpointSlice, pods map[string]bool) bool {
	return slices.ContainsFunc(found, func(s discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && pods[e.TargetRef.Name] })
	})
}
