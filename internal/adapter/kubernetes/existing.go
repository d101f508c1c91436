package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	klabels "k8s.io/apimachinery/pkg/labels"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.Importer = (*Target)(nil)

// FindExisting looks behind the live Services that the release names: what they send
// requests to would be replaced by the release.
func (t *Target) FindExisting(ctx context.Context, o port.DeployRequest) (port.Existing, bool, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Existing{}, false, err
	}
	s, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil || s.Traffic != "" {
		return port.Existing{}, false, err
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return port.Existing{}, false, err
	}
	x := t.existing(c, o, set)
	if found, err := x.find(ctx); !found || err != nil {
		return port.Existing{}, false, err
	}
	found, err := x.describe(ctx)
	return found, err == nil, err
}

func (t *Target) existing(c *client.Client, o port.DeployRequest, set *manifest.Set) *existing {
	return &existing{client: c, request: o, set: set, registry: t.section.Registry, takeOver: t.section.TakeOver}
}

// takeFrom selects the managers that give up their fields to the first release where
// something serves that it replaces; nil: none. They are in the record of release 0.
func (t *Target) takeFrom(ctx context.Context, c *client.Client, s rollout.State, o port.DeployRequest, set *manifest.Set) (func(manager string) bool, error) {
	if s.Traffic != "" {
		return nil, nil
	}
	found, err := t.existing(c, o, set).find(ctx)
	if err != nil || !found {
		return nil, err
	}
	return managedfields.IsTool, nil
}

// existing is what serves in place of a release, as it is found.
type existing struct {
	client   *client.Client
	request  port.DeployRequest
	set      *manifest.Set // of the release that is to come
	registry string        // under which the nodes reach the embedded registry; empty: none
	takeOver bool

	services  []*unstructured.Unstructured
	workloads []*unstructured.Unstructured // Deployments
	pods      []corev1.Pod                 // of the workloads, that the Services select
	scaled    map[string]string            // workload -> autoscaler
	objects   []*unstructured.Unstructured // others that the release names, too
	notes     []string
}

// find reads the live Services of the release, and the Deployments behind them. It
// reports whether anything serves.
func (x *existing) find(ctx context.Context) (bool, error) {
	for _, svc := range x.set.Services {
		live, err := x.client.Get(ctx, client.Services(), svc.GetNamespace(), svc.GetName())
		if err != nil {
			return false, err
		}
		if live == nil || isOfSlipway(live) {
			continue
		}
		found, err := x.addPods(ctx, live)
		if err != nil {
			return false, err
		}
		if found {
			x.services = append(x.services, live)
		}
	}
	serves := slices.ContainsFunc(x.pods, func(pod corev1.Pod) bool { return readiness.PodReady(&pod) })
	if !serves {
		return false, nil // what does not serve is not worth going back to
	}
	if err := x.findWorkloads(ctx); err != nil {
		return false, err
	}
	if err := x.checkManagers(); err != nil {
		return false, err
	}
	return true, x.findOthers(ctx)
}

// isOfSlipway reports whether an object belongs to a release already, maybe of another
// service: DryRun refuses that one.
func isOfSlipway(o *unstructured.Unstructured) bool { return o.GetLabels()[labels.Service] != "" }

// addPods adds the pods that a Service sends requests to, and reports whether there
// are any.
func (x *existing) addPods(ctx context.Context, svc *unstructured.Unstructured) (bool, error) {
	selector, _, _ := unstructured.NestedStringMap(svc.Object, "spec", "selector")
	if len(selector) == 0 {
		return false, nil // its endpoints are set by others
	}
	pods, err := client.ListOf[corev1.Pod](ctx, x.client, client.Pods(), klabels.SelectorFromSet(selector).String())
	if err != nil {
		return false, err
	}
	found := false
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || isTerminal(pod) {
			continue
		}
		found = true
		if !slices.ContainsFunc(x.pods, func(p corev1.Pod) bool { return p.UID == pod.UID }) {
			x.pods = append(x.pods, pod)
		}
	}
	return found, nil
}

// findWorkloads finds the Deployments of the pods. Others can't be replaced without a
// gap by pods of a Deployment.
func (x *existing) findWorkloads(ctx context.Context) error {
	sets, err := client.ListOf[appsv1.ReplicaSet](ctx, x.client, client.ReplicaSets(), "")
	if err != nil {
		return err
	}
	for _, pod := range x.pods {
		owner := metav1.GetControllerOf(&pod)
		i := slices.IndexFunc(sets, func(s appsv1.ReplicaSet) bool { return owner != nil && s.UID == owner.UID })
		if i < 0 {
			return x.refuse("the Services send requests to %s", ownerTitle(pod, owner))
		}
		owner = metav1.GetControllerOf(&sets[i])
		if owner == nil || owner.Kind != "Deployment" {
			return x.refuse("the Services send requests to %s", ownerTitle(pod, owner))
		}
		if slices.ContainsFunc(x.workloads, func(d *unstructured.Unstructured) bool { return d.GetUID() == owner.UID }) {
			continue
		}
		live, err := x.client.Get(ctx, client.Deployments(), pod.Namespace, owner.Name)
		if err != nil {
			return err
		}
		if live == nil {
			return fault.New(fault.Unavailable, "Deployment %s was deleted a moment ago", owner.Name).Hint("try again")
		}
		if err := x.checkSettled(live, sets); err != nil {
			return err
		}
		x.workloads = append(x.workloads, live)
	}
	return nil
}

// refuse is the error for what serves and can't become a release.
func (x *existing) refuse(format string, args ...any) error {
	return fault.New(fault.Conflict, "%s serves in %s already and can't be taken over: %s", x.request.Service, x.client, fmt.Sprintf(format, args...)).
		Hint("give the release's Service another name, and move the users once it serves; or delete what serves, with a gap")
}

func ownerTitle(pod corev1.Pod, owner *metav1.OwnerReference) string {
	if owner == nil {
		return "pod " + pod.Name + ", which no Deployment manages"
	}
	return owner.Kind + " " + owner.Name + ", not to a Deployment"
}

// checkSettled refuses a Deployment that is just being rolled out: it would not be
// clear which of two templates is good.
func (x *existing) checkSettled(d *unstructured.Unstructured, sets []appsv1.ReplicaSet) error {
	var active []string
	for _, s := range sets {
		if owner := metav1.GetControllerOf(&s); owner != nil && owner.UID == d.GetUID() && (s.Status.Replicas > 0 || s.Spec.Replicas != nil && *s.Spec.Replicas > 0) {
			active = append(active, s.Name)
		}
	}
	observed, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration")
	paused, _, _ := unstructured.NestedBool(d.Object, "spec", "paused")
	if isOfSlipway(d) { // an adoption that was interrupted goes on
		return nil
	}
	if len(active) == 1 && observed >= d.GetGeneration() && !paused {
		return nil
	}
	return fault.New(fault.Conflict, "%s in %s is being rolled out by someone else", client.Title(d), x.client).
		Hint("wait until `kubectl rollout status deployment/%s` is done, then try again", d.GetName())
}

// checkManagers refuses what a controller applies again and again: it would undo each
// release.
func (x *existing) checkManagers() error {
	if x.takeOver {
		return nil
	}
	for _, o := range slices.Concat(x.workloads, x.services) {
		others := managedfields.Others(o) // without Slipway: an adoption may have been interrupted
		if len(managedfields.Tools(o)) == 0 && len(others) > 0 {
			return fault.New(fault.Conflict, "%s in %s is managed by %s", client.Title(o), x.client, strings.Join(others, ", ")).
				Hint("let it release the object first; or set take_over: true in the target if nothing applies the object any more")
		}
	}
	return nil
}
