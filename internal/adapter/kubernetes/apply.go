package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
)

// atOnce is how many objects are applied side by side.
const atOnce = 8

// manner is how objects are applied.
type manner struct {
	dry   bool // ask only
	force bool // fields that others manage become ours
}

// apply makes one object so, and returns it as it is now.
func (c *cluster) apply(ctx context.Context, o *unstructured.Unstructured, m manner) (*unstructured.Unstructured, error) {
	k, err := c.kindOf(ctx, o.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if k.namespaced && o.GetNamespace() == "" {
		o = o.DeepCopy()
		o.SetNamespace(c.namespace)
	}
	opts := metav1.ApplyOptions{FieldManager: manager, Force: m.force}
	if m.dry {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	now, err := c.in(k, o.GetNamespace()).Apply(ctx, o.GetName(), o, opts)
	if err != nil {
		return nil, c.explainApply(o, err)
	}
	return now, nil
}

func (c *cluster) explainApply(o *unstructured.Unstructured, err error) error {
	act := "apply " + title(o)
	if who := conflicting(err); who != "" {
		return fault.New(fault.Conflict, "%s: %s", act, who).
			Hint("let its manager go of the field, take it out of the manifests, or set take_over: true in the target to have it")
	}
	err = unreachable(act, err)
	switch {
	case strings.Contains(err.Error(), "field is immutable"):
		var f *fault.Error
		if errors.As(err, &f) {
			return f.Hint("give the object another name, or remove the one that is there: this field can't change")
		}
	case fault.Is(err, fault.NotFound) && strings.Contains(err.Error(), "namespaces"):
		return fault.New(fault.NotFound, "%s: there is no %s", act, c.where).Cause(err).
			Hint("make it: `kubectl create namespace %s`", o.GetNamespace())
	}
	return err
}

// applyAll makes all objects so: what others need first, the rest side by side.
// The first trouble ends it.
func (c *cluster) applyAll(ctx context.Context, objects []*unstructured.Unstructured, m manner) error {
	for len(objects) > 0 {
		n := 1
		for n < len(objects) && class(objects[n]) == class(objects[0]) {
			n++
		}
		if err := c.applySome(ctx, objects[:n], m); err != nil {
			return err
		}
		if class(objects[0]) == definitions && !m.dry {
			if err := c.established(ctx, objects[:n]); err != nil {
				return err
			}
		}
		objects = objects[n:]
	}
	return nil
}

// Classes of objects that wait for each other.
const (
	namespaces  = "namespaces"
	definitions = "definitions"
	others      = ""
)

func class(o *unstructured.Unstructured) string {
	switch o.GetKind() {
	case "Namespace":
		return namespaces
	case "CustomResourceDefinition":
		return definitions
	}
	return others
}

func (c *cluster) applySome(ctx context.Context, objects []*unstructured.Unstructured, m manner) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, o := range objects {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-places }()
			_, err := c.apply(ctx, o, m)
			switch {
			case err == nil, m.dry && premature(err):
			case fault.Is(err, fault.Denied) && o.GetKind() == "Namespace" && o.GetName() == c.namespace:
				// A role of one namespace may not look at it; it is there, or nothing
				// in it could be applied.
			default:
				cancel(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// premature tells that an object can't be tried yet, because its namespace or
// its kind comes with the same release.
func premature(err error) bool {
	return fault.Is(err, fault.NotFound) || errors.Is(err, errNoKind)
}

// established waits until new kinds can be used.
func (c *cluster) established(ctx context.Context, definitions []*unstructured.Unstructured) error {
	for _, d := range definitions {
		err := poll(ctx, func() (bool, error) {
			k, err := c.kindOf(ctx, d.GroupVersionKind())
			if err != nil {
				return false, err
			}
			live, err := c.get(ctx, k, "", d.GetName())
			return conditionTrue(live, "Established"), err
		})
		if err != nil {
			return fmt.Errorf("wait for %s: %w", title(d), err)
		}
	}
	return nil
}

func conditionTrue(o *unstructured.Unstructured, name string) bool {
	if o == nil {
		return false
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == name {
			return m["status"] == "True"
		}
	}
	return false
}

// remove deletes an object; one that is not there is fine.
func (c *cluster) remove(ctx context.Context, k kind, namespace, name string) error {
	background := metav1.DeletePropagationBackground
	err := c.in(k, namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return unreachable("remove "+k.resource.Resource+" "+name, err)
}
