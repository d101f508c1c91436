package kubernetes

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/render"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Discard stops a release that was not given the traffic, and takes away what
// came with it. What serves is put back as it was recorded.
func (t *Target) Discard(ctx context.Context, o port.DeployRequest) error {
	e, err := t.begin(ctx, o, nil)
	if err != nil {
		return err
	}
	t.unforward(o)
	if e.st.traffic == o.ID {
		return nil // promoted, not staged
	}
	staged := e.st.beside() == o.ID
	for _, d := range e.st.live {
		staged = staged || templateOf(d) == o.ID
	}
	if !staged {
		return e.prune(ctx, e.st.traffic)
	}
	before, err := t.serving(ctx, e.c, e.st, o)
	if err != nil {
		return err
	}
	if before == nil {
		return e.empty(ctx)
	}
	if err := e.calm(ctx, before, before.order.ID); err != nil {
		return err
	}
	if err := e.settleDown(ctx, before); err != nil {
		return err
	}
	return e.prune(ctx, before.order.ID)
}

// Finalize takes the brake off what has been accepted, takes away what no release
// needs that can come back, and lets the next run in.
func (t *Target) Finalize(ctx context.Context, o port.DeployRequest, say func(string)) error {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return err
	}
	if e.st.traffic != o.ID {
		return t.release(ctx, o) // it is somebody else's turn
	}
	if e.b, err = t.bundle(ctx, e.c, o); err != nil {
		return err
	}
	if e.st.braked(e.b) || !e.st.runs(e.b) {
		if err := e.heard(ctx); err != nil {
			return err
		}
		if err := e.settleDown(ctx, e.b); err != nil {
			return err
		}
	}
	if err := e.prune(ctx, o.ID); err != nil {
		return err
	}
	return t.release(ctx, o)
}

// Remove takes everything of the service away, but for what holds data
// (PersistentVolumeClaims) or others' things (Namespaces, definitions of kinds),
// and waits until its pods have ended.
func (t *Target) Remove(ctx context.Context, service string, env delivery.Environment) error {
	e, err := t.begin(ctx, port.DeployRequest{Service: service, Environment: env, Run: removing}, nil)
	if err != nil {
		return err
	}
	t.unforward(port.DeployRequest{Service: service, Environment: env})
	if err := e.empty(ctx); err != nil {
		return err
	}
	if err := e.c.forget(ctx, service, env); err != nil {
		return err
	}
	if err := t.release(ctx, e.o); err != nil {
		return err
	}
	return e.c.remove(ctx, leases(), "", recordName(service, env))
}

// removing is the name under which Remove, which belongs to no run, holds the lock.
const removing = "down"

// empty leaves nothing of any release behind.
func (e *entry) empty(ctx context.Context) error {
	if err := e.prune(ctx, ""); err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		left, err := e.c.podsOf(ctx, e.o.Service, e.o.Environment)
		return len(left) == 0, err
	})
}

// thing is an object that a release brought.
type thing struct {
	kind            kind
	namespace, name string
	title           string
	frozen          bool // its name is that of its content
}

// prune removes what releases brought and the one that stays has no need of.
// Content that another good release would need again is kept: going back to it
// needs the values of its Secrets, which are nowhere else.
func (e *entry) prune(ctx context.Context, stays delivery.ReleaseID) error {
	if err := e.forgetCanaries(ctx); err != nil {
		return err
	}
	chapter, err := e.t.LoadHistory(ctx, e.o.Service, e.o.Environment)
	if err != nil {
		return err
	}
	keep, all := map[thing]bool{}, []thing{}
	for _, rel := range chapter.Releases {
		things, err := e.c.things(ctx, rel.Release)
		if err != nil {
			return err
		}
		good := rel.Quarantined == nil && stays != "" && accepted(chapter, rel.ID)
		for _, x := range things {
			if rel.ID == stays || good && x.frozen {
				keep[x] = true
			}
			if !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	for _, x := range slices.Backward(all) { // what came last goes first
		if keep[x] {
			continue
		}
		if err := e.take(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

func accepted(c port.History, id delivery.ReleaseID) bool {
	return slices.ContainsFunc(c.Deployments, func(d delivery.Deployment) bool {
		return d.Release == id && !d.ServingAt.IsZero()
	})
}

// things are the objects of a release that we may take away again.
func (c *cluster) things(ctx context.Context, rel delivery.Release) ([]thing, error) {
	if rel.Objects == "" {
		return nil, nil
	}
	objects, err := render.Parse(rel.Objects)
	if err != nil {
		return nil, err
	}
	var out []thing
	for _, o := range objects {
		if lasting(o) {
			continue
		}
		k, err := c.kindOf(ctx, o.GroupVersionKind())
		if err != nil {
			continue // the kind has gone, and its objects with it
		}
		x := thing{kind: k, name: o.GetName(), title: title(o)}
		if k.namespaced {
			if x.namespace = o.GetNamespace(); x.namespace == "" {
				x.namespace = c.namespace
			}
		}
		frozen, _, _ := unstructured.NestedBool(o.Object, "immutable")
		x.frozen = frozen
		out = append(out, x)
	}
	return out, nil
}

// lasting are objects that are never taken away: they hold data, or what others
// have made.
func lasting(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition", "PersistentVolumeClaim":
		return true
	}
	return false
}

// take removes an object if it is there and ours: others' objects of the same
// name, and those of another environment, stay.
func (e *entry) take(ctx context.Context, x thing) error {
	live, err := e.c.get(ctx, x.kind, x.namespace, x.name)
	if err != nil || live == nil {
		return err
	}
	l := live.GetLabels()
	if l[serviceLabel] != e.o.Service || l[environmentLabel] != string(e.o.Environment) || l[managedBy] != manager {
		return nil
	}
	bounded, cancel, err := e.l.guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	e.say(fmt.Sprintf("removing %s", x.title))
	return e.c.remove(bounded, x.kind, x.namespace, x.name)
}
