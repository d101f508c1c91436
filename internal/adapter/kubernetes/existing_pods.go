package kubernetes

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	klabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

func selectorOf(l map[string]string) string { return klabels.SelectorFromSet(l).String() }

func errNotAdopted(d *unstructured.Unstructured, why string) error {
	return fault.New(fault.Conflict, "take over %s: %s", client.Title(d), why).
		Hint("look at it with `kubectl rollout status deployment/%s`, then try again", d.GetName())
}

// replaceAll returns the JSON patch that replaces fields of an object, unless it was
// changed since it was read.
func replaceAll(o *unstructured.Unstructured, fields map[string]any) ([]byte, error) {
	patch := []map[string]any{{"op": "replace", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()}}
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		patch = append(patch, map[string]any{"op": "replace", "path": path, "value": fields[path]})
	}
	return json.Marshal(patch)
}

// labelPods labels the pods of a ReplicaSet, and those that it still started from its
// template of before.
func (op *operation) labelPods(ctx context.Context, set *unstructured.Unstructured) error {
	want := map[string]string{labels.Service: op.request.Service, labels.Release: string(op.request.ID)}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": want}})
	if err != nil {
		return err
	}
	err = wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		now, err := op.client.List(ctx, client.ReplicaSets(), selectorOfTemplate(set))
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(now, func(s unstructured.Unstructured) bool { return s.GetUID() == set.GetUID() })
		if i < 0 {
			return false, errNotAdopted(set, "it was deleted meanwhile")
		}
		observed, _, _ := unstructured.NestedInt64(now[i].Object, "status", "observedGeneration")
		unlabelled, err := op.unlabelledPods(ctx, set)
		if err != nil {
			return false, err
		}
		for _, pod := range unlabelled {
			if _, err := op.patch(ctx, client.Pods(), pod, types.MergePatchType, patch); err != nil && !fault.Is(err, fault.NotFound) {
				return false, err
			}
		}
		return len(unlabelled) == 0 && observed >= set.GetGeneration(), nil
	})
	return waitEnded(ctx, "label the pods of "+client.Title(set), err)
}

func (op *operation) unlabelledPods(ctx context.Context, set *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	pods, err := op.podsOf(ctx, set)
	return slices.DeleteFunc(pods, func(pod *unstructured.Unstructured) bool {
		return pod.GetLabels()[labels.Release] == string(op.request.ID)
	}), err
}

// podsOf returns the pods of a ReplicaSet that have not failed.
func (op *operation) podsOf(ctx context.Context, set *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	pods, err := op.client.List(ctx, client.Pods(), selectorOfTemplate(set))
	var out []*unstructured.Unstructured
	for i := range pods {
		owner := metav1.GetControllerOf(&pods[i])
		if owner != nil && owner.UID == set.GetUID() && phaseOf(&pods[i]) != corev1.PodFailed {
			out = append(out, &pods[i])
		}
	}
	return out, err
}

func phaseOf(pod *unstructured.Unstructured) corev1.PodPhase {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	return corev1.PodPhase(phase)
}

// waitSettled waits until the Deployment has found its ReplicaSet again.
func (op *operation) waitSettled(ctx context.Context, d, set *unstructured.Unstructured) error {
	err := wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		live, err := op.client.Get(ctx, client.Deployments(), d.GetNamespace(), d.GetName())
		if err != nil || live == nil {
			return false, err
		}
		if observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration"); observed < live.GetGeneration() {
			return false, nil
		}
		now, err := op.replicaSetOf(ctx, live)
		if err != nil {
			return false, err
		}
		if now.GetUID() != set.GetUID() {
			return false, errNotAdopted(d, "it was changed meanwhile, and replaces its pods")
		}
		return true, nil
	})
	return waitEnded(ctx, "wait until "+client.Title(d)+" has found its pods", err)
}

// selectorOfTemplate selects what has the pod template of a ReplicaSet.
func selectorOfTemplate(set *unstructured.Unstructured) string {
	const hash = appsv1.DefaultDeploymentUniqueLabelKey
	return hash + "=" + set.GetLabels()[hash]
}
