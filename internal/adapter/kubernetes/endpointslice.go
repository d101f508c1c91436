package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
	w := endpointWait{
		client: op.client, services: namesOf(op.set.Services),
		until: func(found []discoveryv1.EndpointSlice) bool { return !leadTo(found, pods) },
	}
	list := strings.Join(w.services, ", ")
	return w.wait(ctx, "wait until no endpoint of "+list+" is left",
		fault.New(fault.Unavailable, "the endpoints of %s still lead to another release %s after its switch", list, maxPropagation))
}

// waitRouted waits until each of the Services has an endpoint that is ready.
func (op *operation) waitRouted(ctx context.Context, services []*unstructured.Unstructured) error {
	w := endpointWait{
		client: op.client, services: namesOf(services),
		until: func(found []discoveryv1.EndpointSlice) bool {
			return !slices.ContainsFunc(services, func(svc *unstructured.Unstructured) bool { return !leadsAnywhere(found, svc.GetName()) })
		},
	}
	list := strings.Join(w.services, ", ")
	return w.wait(ctx, "wait for the endpoints of "+list,
		fault.New(fault.Unavailable, "%s has no ready endpoint %s after its pods were ready", list, maxPropagation))
}

func namesOf(objects []*unstructured.Unstructured) []string {
	var names []string
	for _, o := range objects {
		names = append(names, o.GetName())
	}
	return names
}

// endpointWait is a wait for the EndpointSlices of Services.
type endpointWait struct {
	client   *client.Client
	services []string
	until    func([]discoveryv1.EndpointSlice) bool
}

// wait waits for maxPropagation at most. late is the error then.
func (w endpointWait) wait(ctx context.Context, act string, late *fault.Error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, maxPropagation, late.Hint("is the cluster's endpointslice controller running?"))
	defer cancel()
	err := w.watch(ctx)
	if fault.Is(err, fault.Denied) { // roles of earlier versions allow only to list them
		err = w.poll(ctx)
	}
	return waitEnded(ctx, act, err)
}

func (w endpointWait) watch(ctx context.Context) error {
	endpoints, err := w.client.WatchEndpoints(ctx, w.services)
	if err != nil {
		return err
	}
	defer endpoints.Close()
	for {
		found, err := endpoints.Slices()
		if err != nil || w.until(found) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-endpoints.Changed():
		}
	}
}

func (w endpointWait) poll(ctx context.Context) error {
	return wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		w.client.ForgetLists()
		found, err := client.ListOf[discoveryv1.EndpointSlice](ctx, w.client, client.EndpointSlices(), client.EndpointsSelector(w.services))
		return err == nil && w.until(found), err
	})
}

// leadTo reports whether an endpoint is one of the pods.
func leadTo(found []discoveryv1.EndpointSlice, pods map[string]bool) bool {
	return slices.ContainsFunc(found, func(s discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && pods[e.TargetRef.Name] })
	})
}

// leadsAnywhere reports whether the Service has an endpoint that is ready.
func leadsAnywhere(found []discoveryv1.EndpointSlice, service string) bool {
	return slices.ContainsFunc(found, func(s discoveryv1.EndpointSlice) bool {
		return s.Labels[discoveryv1.LabelServiceName] == service && slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool {
			return e.Conditions.Ready == nil || *e.Conditions.Ready // unknown counts as ready, by the API
		})
	})
}
