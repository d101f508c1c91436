package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// PollInterval is the pause between two looks at what cannot be watched.
const PollInterval = 100 * time.Millisecond

// applyParallelism is how many objects are applied at the same time.
const applyParallelism = 8

// ApplyOptions say how objects are applied.
type ApplyOptions struct {
	DryRun bool
	Force  bool // take over fields that other managers own
	// TakeFrom reports whether fields of a manager are taken over without Force; nil:
	// of none.
	TakeFrom func(manager string) bool

	// Added is called with an object and what applying it has made, if a person's tool
	// owns fields of that; it reports whether it has taken them, so that the object is
	// applied again. nil: they stay.
	Added func(ctx context.Context, o, now *unstructured.Unstructured) (taken bool, err error)
}

// Apply applies one object (server-side), and returns it as it is now.
func (c *Client) Apply(ctx context.Context, o *unstructured.Unstructured, opts ApplyOptions) (*unstructured.Unstructured, error) {
	k, err := c.KindOf(ctx, o.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if k.Namespaced && o.GetNamespace() == "" {
		o = o.DeepCopy()
		o.SetNamespace(c.namespace)
	}
	apply := metav1.ApplyOptions{FieldManager: labels.Manager, Force: opts.Force}
	if opts.DryRun {
		apply.DryRun = []string{metav1.DryRunAll}
	}
	now, err := c.In(k, o.GetNamespace()).Apply(ctx, o.GetName(), o, apply)
	if opts.TakeFrom != nil && conflictsOnlyWith(err, opts.TakeFrom) {
		apply.Force = true
		now, err = c.In(k, o.GetNamespace()).Apply(ctx, o.GetName(), o, apply)
	}
	if err != nil {
		return nil, c.ExplainApply(o, err)
	}
	return now, nil
}

// ApplyAll applies objects in their order: namespaces and definitions of kinds
// before what follows them, the rest in parallel. The first error ends it.
func (c *Client) ApplyAll(ctx context.Context, objects []*unstructured.Unstructured, opts ApplyOptions) error {
	brought := broughtKinds(objects)
	for len(objects) > 0 {
		n := 1
		for n < len(objects) && barrierOf(objects[n]) == barrierOf(objects[0]) {
			n++
		}
		if err := c.applyParallel(ctx, objects[:n], brought, opts); err != nil {
			return err
		}
		if barrierOf(objects[0]) == definitionBarrier && !opts.DryRun {
			if err := c.waitEstablished(ctx, objects[:n]); err != nil {
				return err
			}
		}
		objects = objects[n:]
	}
	return nil
}

// barrier separates objects that must exist before the next ones are applied.
type barrier int

const (
	noBarrier barrier = iota
	namespaceBarrier
	definitionBarrier
)

func barrierOf(o *unstructured.Unstructured) barrier {
	switch o.GetKind() {
	case "Namespace":
		return namespaceBarrier
	case "CustomResourceDefinition":
		return definitionBarrier
	}
	return noBarrier
}

func (c *Client) applyParallel(ctx context.Context, objects []*unstructured.Unstructured, brought map[schema.GroupKind]bool, opts ApplyOptions) error {
	caller := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	slots := make(chan struct{}, applyParallelism)
	for _, o := range objects {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			err := c.applyOne(ctx, o, opts)
			switch {
			case err == nil, opts.DryRun && isBrought(o, brought, err):
			case fault.Is(err, fault.Denied) && o.GetKind() == "Namespace" && o.GetName() == c.namespace:
				// A role within one namespace may not read the Namespace itself. It
				// exists, or nothing in it could be applied.
			default:
				cancel(err)
			}
		})
	}
	group.Wait()
	switch {
	case ctx.Err() == nil:
		return nil
	case caller.Err() != nil:
		return fmt.Errorf("apply the objects in %s: %w", c.title, context.Cause(caller))
	}
	return context.Cause(ctx)
}

// broughtKinds returns the kinds that the objects define.
func broughtKinds(objects []*unstructured.Unstructured) map[schema.GroupKind]bool {
	out := map[schema.GroupKind]bool{}
	for _, o := range objects {
		if barrierOf(o) == definitionBarrier {
			group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
			out[schema.GroupKind{Group: group, Kind: kind}] = true
		}
	}
	return out
}

// isBrought reports whether an object could not be tried only because its namespace,
// or its kind, comes with the same release.
func isBrought(o *unstructured.Unstructured, brought map[schema.GroupKind]bool, err error) bool {
	if errors.Is(err, ErrUnknownKind) {
		return brought[o.GroupVersionKind().GroupKind()]
	}
	return IsPrerequisiteMissing(err)
}

// applyOne applies an object, and once more if fields were taken that it lacks.
func (c *Client) applyOne(ctx context.Context, o *unstructured.Unstructured, opts ApplyOptions) error {
	now, err := c.Apply(ctx, o, opts)
	if err != nil || opts.Added == nil {
		return err
	}
	taken, err := opts.Added(ctx, o, now)
	if err == nil && taken {
		_, err = c.Apply(ctx, o, opts)
	}
	return err
}

// IsPrerequisiteMissing reports whether an object cannot be tried yet, because its
// namespace or its kind comes with the same release.
func IsPrerequisiteMissing(err error) bool {
	return fault.Is(err, fault.NotFound) || errors.Is(err, ErrUnknownKind)
}

// waitEstablished waits until new kinds can be used.
func (c *Client) waitEstablished(ctx context.Context, definitions []*unstructured.Unstructured) error {
	for _, d := range definitions {
		err := wait.Poll(ctx, PollInterval, func(ctx context.Context) (bool, error) {
			k, err := c.KindOf(ctx, d.GroupVersionKind())
			if err != nil {
				return false, err
			}
			live, err := c.Get(ctx, k, "", d.GetName())
			return ConditionTrue(live, "Established"), err
		})
		if err != nil {
			return fmt.Errorf("wait for %s: %w", Title(d), err)
		}
	}
	return nil
}

// ConditionTrue reports whether a condition of an object is true.
func ConditionTrue(o *unstructured.Unstructured, name string) bool {
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
