package kubernetes

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// state is where a service stands in an environment, as the cluster tells.
type state struct {
	traffic  delivery.ReleaseID           // what the Services are switched to; empty: nothing
	entries  []*unstructured.Unstructured // live Services that we switch
	canaries []*unstructured.Unstructured // live Services that lead to a canary
	live     map[string]*unstructured.Unstructured
	switched switched // the latest
}

// state asks for the Services and Deployments. Objects of another environment in
// the same namespace are a conflict: they would be taken for ours.
func (c *cluster) state(ctx context.Context, service string, env delivery.Environment) (state, error) {
	s := state{live: map[string]*unstructured.Unstructured{}}
	found, err := c.list(ctx, services(), labelsOf(service, env))
	if err != nil {
		return s, err
	}
	for i := range found {
		svc := &found[i]
		if svc.GetAnnotations()[canaryMark] != "" {
			s.canaries = append(s.canaries, svc)
			continue
		}
		if _, pinned, _ := unstructured.NestedString(svc.Object, "spec", "selector", releaseLabel); !pinned && svc.GetAnnotations()[fenceMark] == "" {
			continue
		}
		s.entry(svc)
	}
	s.own()
	deps, err := c.list(ctx, deployments(), labelsOf(service, env))
	for i := range deps {
		s.live[deps[i].GetName()] = &deps[i]
	}
	return s, err
}

// entry adds a Service that we switch. The latest switch tells what has the
// traffic: a Service that left a release stays with the one before until it is
// taken away.
func (s *state) entry(svc *unstructured.Unstructured) {
	at := switchOf(svc)
	if s.traffic == "" || at.after(s.switched) {
		s.traffic, s.switched = delivery.ReleaseID(svc.GetAnnotations()[releaseLabel]), at
	}
	s.entries = append(s.entries, svc)
}

// own leaves out the entries of other releases than the one with the traffic.
func (s *state) own() {
	s.entries = slices.DeleteFunc(s.entries, func(svc *unstructured.Unstructured) bool {
		return delivery.ReleaseID(svc.GetAnnotations()[releaseLabel]) != s.traffic
	})
}

// switched is when a Service was switched: under which number of the lock, and at
// what time by its holder's clock, in milliseconds.
type switched struct{ fence, at int64 }

func (w switched) String() string { return fmt.Sprintf("%d.%d", w.fence, w.at) }

func (w switched) after(v switched) bool {
	return w.fence > v.fence || w.fence == v.fence && w.at > v.at
}

// switchOf is the zero switch where none was noted.
func switchOf(svc *unstructured.Unstructured) (w switched) {
	_, _ = fmt.Sscanf(svc.GetAnnotations()[fenceMark], "%d.%d", &w.fence, &w.at) // what is missing stays 0
	return w
}

// lastFence is the highest number under which a Service here was switched, or 0.
// A lock that somebody deleted goes on from it: Services refuse a lower one.
func (c *cluster) lastFence(ctx context.Context) (int64, error) {
	found, err := c.list(ctx, services(), serviceLabel)
	var last int64
	for i := range found {
		last = max(last, switchOf(&found[i]).fence)
	}
	return last, err
}

// beside is the release that is held beside the one that serves, or "".
func (s state) beside() delivery.ReleaseID {
	for _, d := range s.live {
		if id := heldFor(d); id != "" {
			return id
		}
	}
	return ""
}

// runs tells whether all of the bundle's workloads have the release's template.
func (s state) runs(b *bundle) bool {
	for _, d := range b.ours {
		if templateOf(s.live[d.GetName()]) != b.order.ID {
			return false
		}
	}
	return true
}

// braked tells whether one of the bundle's workloads has the brake on.
func (s state) braked(b *bundle) bool {
	for _, d := range b.ours {
		if heldFor(s.live[d.GetName()]) != "" {
			return true
		}
	}
	return false
}

// serving is what has the traffic, as it was recorded here; nil: nothing has.
func (t *Target) serving(ctx context.Context, c *cluster, s state, o port.DeployRequest) (*bundle, error) {
	if s.traffic == "" {
		return nil, nil
	}
	if s.traffic == o.ID {
		return t.bundle(ctx, c, o)
	}
	rel, err := c.release(ctx, o.Service, o.Environment, s.traffic)
	if err != nil {
		return nil, err
	}
	if rel == nil {
		return nil, fault.New(fault.NotFound, "%s has the traffic of %s, and the cluster has no record of it", s.traffic, o.Environment).
			Hint("bring it in again: `slipway rollback --env %s --to %s`", o.Environment, s.traffic)
	}
	other := o
	other.ID, other.Release, other.Secrets = rel.ID, rel.Release, nil
	return t.bundle(ctx, c, other)
}

// podsOf lists the pods of a service in an environment.
func (c *cluster) podsOf(ctx context.Context, service string, env delivery.Environment) ([]corev1.Pod, error) {
	found, err := c.list(ctx, pods(), podLabels(service))
	if err != nil {
		return nil, err
	}
	return typed[corev1.Pod](found)
}

// podLabels selects the pods of a service. Its environment is not among their
// labels: a promotion is no reason for another template.
func podLabels(service string) string { return serviceLabel + "=" + service + "," + releaseLabel }

func typed[T any](found []unstructured.Unstructured) ([]T, error) {
	out := make([]T, len(found))
	for i := range found {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found[i].Object, &out[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", title(&found[i]), err)
		}
	}
	return out, nil
}

// podReady tells whether a pod can take requests.
func podReady(pod corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// ownedBy tells whether a pod is of a Deployment: it is called after its
// ReplicaSet, and that after the Deployment and its template.
func ownedBy(pod corev1.Pod, deployment string) bool {
	set := deployment + "-" + pod.Labels["pod-template-hash"]
	for _, o := range pod.OwnerReferences {
		if o.Kind == "ReplicaSet" && o.Name == set {
			return true
		}
	}
	return false
}
