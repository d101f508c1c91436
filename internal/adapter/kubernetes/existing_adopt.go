package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// adoptTimeout is how long the part of an adoption may take that is not interrupted: a
// paused Deployment replaces no pods, and must not be left so.
const adoptTimeout = time.Minute

// Adopt labels the running pods as those of the release and lets its Services select
// them. A changed pod template would replace the pods; so it is changed in the
// Deployment and in its ReplicaSet, while the Deployment is paused.
func (t *Target) Adopt(ctx context.Context, o port.DeployRequest, report func(string)) error {
	op, err := t.beginRollout(ctx, o, report)
	if err != nil {
		return err
	}
	if op.state.Traffic == o.ID {
		return nil // the Services were switched last
	}
	if err := op.checkMayAdopt(ctx); err != nil {
		return err
	}
	if err := op.takeFields(ctx, op.set.Others); err != nil {
		return err
	}
	if err := op.apply(ctx, op.set.Others); err != nil {
		return err
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), adoptTimeout)
	defer cancel()
	for _, d := range op.set.Workloads {
		if err := op.adoptWorkload(whole, d); err != nil {
			return err
		}
	}
	if err := op.takeFields(ctx, op.set.Services); err != nil {
		return err
	}
	// What keeps the endpoints sees Services and pods separately: were it to see the
	// selector before the labels, there would be no endpoint.
	if err := wait.Sleep(ctx, propagationDelay); err != nil {
		return waitEnded(ctx, "wait until the labels of the pods are known", err)
	}
	return op.selectRelease(ctx, op.set, o.ID)
}

// checkMayAdopt tries whether ReplicaSets and pods may be labelled, before anything is
// changed: nothing else needs these rights.
func (op *operation) checkMayAdopt(ctx context.Context) error {
	for _, d := range op.set.Workloads {
		live, err := op.client.Get(ctx, client.Deployments(), d.GetNamespace(), d.GetName())
		if err != nil {
			return err
		}
		if live == nil {
			return errNotAdopted(d, "it was deleted meanwhile")
		}
		set, err := op.replicaSetOf(ctx, live)
		if err != nil {
			return err
		}
		if _, err := op.patch(ctx, client.ReplicaSets(), set, types.MergePatchType, []byte("{}"), metav1.DryRunAll); err != nil {
			return err
		}
		pods, err := op.podsOf(ctx, set)
		if err != nil || len(pods) == 0 {
			return err
		}
		if _, err := op.patch(ctx, client.Pods(), pods[0], types.MergePatchType, []byte("{}"), metav1.DryRunAll); err != nil {
			return err
		}
	}
	return nil
}

// takeFields makes the fields that people's tools manage ours. A field that they
// set and that a later release lacks would stay otherwise.
func (op *operation) takeFields(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		kind, err := op.client.KindOf(ctx, o.GroupVersionKind())
		if err != nil {
			return err
		}
		live, err := op.client.Get(ctx, kind, o.GetNamespace(), o.GetName())
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		if err := op.takeFieldsOf(ctx, kind, o, live); err != nil {
			return err
		}
	}
	return nil
}

func (op *operation) takeFieldsOf(ctx context.Context, kind client.Kind, o, live *unstructured.Unstructured) error {
	isTaken := func(manager string) bool { return isTaken(manager, op.target.section.TakeOver) }
	patch, err := managedfields.TakeFrom(live, isTaken, leftToScaler(o))
	if err != nil || patch == nil {
		return err
	}
	op.report(fmt.Sprintf("taking over the fields of %s from %s", client.Title(o), strings.Join(managedfields.Managers(live, isTaken), ", ")))
	_, err = op.patch(ctx, kind, live, types.JSONPatchType, patch)
	return err
}

// leftToScaler returns the number of replicas if the object does not set it: whoever
// gives the field up, gives the live number up.
func leftToScaler(o *unstructured.Unstructured) *fieldpath.Set {
	if _, set, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "replicas"); set {
		return fieldpath.NewSet()
	}
	return fieldpath.NewSet(fieldpath.MakePathOrDie("spec", "replicas"))
}

// adoptWorkload makes the pods of a Deployment those of the release.
func (op *operation) adoptWorkload(ctx context.Context, d *unstructured.Unstructured) error {
	if err := op.takeFields(ctx, []*unstructured.Unstructured{d}); err != nil {
		return err
	}
	paused := d.DeepCopy()
	if err := unstructured.SetNestedField(paused.Object, true, "spec", "paused"); err != nil {
		return fmt.Errorf("pause %s: %w", client.Title(d), err)
	}
	if err := op.apply(ctx, []*unstructured.Unstructured{paused}); err != nil {
		return err
	}
	live, err := op.client.Get(ctx, client.Deployments(), d.GetNamespace(), d.GetName())
	if err != nil {
		return err
	}
	set, err := op.replicaSetOf(ctx, live)
	if err != nil {
		return err
	}
	if set, err = op.copyTemplate(ctx, live, set); err != nil {
		return err
	}
	if err := op.labelPods(ctx, set); err != nil {
		return err
	}
	if err := op.apply(ctx, []*unstructured.Unstructured{d}); err != nil {
		return err
	}
	return op.waitSettled(ctx, d, set)
}

// replicaSetOf returns the ReplicaSet that has the pods of a Deployment.
func (op *operation) replicaSetOf(ctx context.Context, d *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	selector, _, _ := unstructured.NestedStringMap(d.Object, "spec", "selector", "matchLabels")
	sets, err := op.client.List(ctx, client.ReplicaSets(), selectorOf(selector))
	if err != nil {
		return nil, err
	}
	owned := func(s unstructured.Unstructured) bool {
		owner := metav1.GetControllerOf(&s)
		return owner != nil && owner.UID == d.GetUID()
	}
	revision := d.GetAnnotations()["deployment.kubernetes.io/revision"]
	i := slices.IndexFunc(sets, func(s unstructured.Unstructured) bool {
		return owned(s) && s.GetAnnotations()["deployment.kubernetes.io/revision"] == revision
	})
	if i < 0 {
		return nil, errNotAdopted(d, "its current ReplicaSet is not found")
	}
	return &sets[i], nil
}

// copyTemplate gives the ReplicaSet the pod template of its Deployment: it stays the
// current one, and starts new pods as those of the release.
func (op *operation) copyTemplate(ctx context.Context, d, set *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	hash := set.GetLabels()[appsv1.DefaultDeploymentUniqueLabelKey]
	template, ok, _ := unstructured.NestedMap(d.Object, "spec", "template")
	if hash == "" || !ok {
		return nil, errNotAdopted(d, "its ReplicaSet has no hash of its template")
	}
	if err := unstructured.SetNestedField(template, hash, "metadata", "labels", appsv1.DefaultDeploymentUniqueLabelKey); err != nil {
		return nil, fmt.Errorf("label the pods of %s: %w", client.Title(d), err)
	}
	podLabels, _, _ := unstructured.NestedStringMap(template, "metadata", "labels")
	all := maps.Clone(set.GetLabels())
	maps.Copy(all, podLabels)
	patch, err := replaceAll(set, map[string]any{"/metadata/labels": all, "/spec/template": template})
	if err != nil {
		return nil, err
	}
	return op.patch(ctx, client.ReplicaSets(), set, types.JSONPatchType, patch)
}
