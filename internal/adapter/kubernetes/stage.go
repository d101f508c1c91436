package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// entry is one order at work.
type entry struct {
	t   *Target
	c   *cluster
	o   port.DeployRequest
	b   *bundle
	l   *lock
	st  state
	say func(string)
}

// begin connects, takes the environment's lock and looks around.
func (t *Target) begin(ctx context.Context, o port.DeployRequest, say func(string)) (*entry, error) {
	if say == nil {
		say = func(string) {}
	}
	c, err := t.connected()
	if err != nil {
		return nil, err
	}
	e := &entry{t: t, c: c, o: o, say: say}
	if e.l, err = t.hold(ctx, c, o, say); err != nil {
		return nil, err
	}
	e.st, err = c.state(ctx, o.Service, o.Environment)
	return e, err
}

// Stage starts the release's pods beside those that serve.
func (t *Target) Stage(ctx context.Context, o port.DeployRequest, say func(string)) (string, error) {
	e, err := t.begin(ctx, o, say)
	if err != nil {
		return "", err
	}
	if e.b, err = t.bundle(ctx, e.c, o); err != nil {
		return "", err
	}
	if e.there(ctx) {
		return e.address()
	}
	if e.st.traffic == o.ID && (o.Strategy != delivery.BlueGreen || !e.st.braked(e.b)) {
		if err := e.settleDown(ctx, e.b); err != nil { // it has the traffic: nothing is kept beside it
			return "", err
		}
		return e.address()
	}
	if err := e.clear(ctx); err != nil {
		return "", err
	}
	return e.start(ctx)
}

// start applies the release with the brake on and waits for its pods.
func (e *entry) start(ctx context.Context) (string, error) {
	w, err := e.c.watch(ctx, labelsOf(e.o.Service, e.o.Environment), podLabels(e.o.Service))
	if err != nil {
		return "", err
	}
	defer w.close()
	surge := e.surge()
	e.say("starting it beside what serves")
	if err := e.apply(ctx, append(e.groundwork(), e.b.held(surge)...), true); err != nil {
		return "", err
	}
	if err := e.t.await(ctx, e.c, w, e.awaited(surge), e.say); err != nil {
		return "", err
	}
	return e.address()
}

// there tells that the pods are beside those that serve already: it was what
// served before, and nobody has let go of it yet. Going back is instant then.
func (e *entry) there(ctx context.Context) bool {
	if e.st.traffic == "" || e.st.traffic == e.o.ID || e.st.beside() != e.st.traffic {
		return false
	}
	ready, err := e.readyPods(ctx)
	if err != nil {
		return false
	}
	for _, d := range e.b.ours {
		if int64(ready[d.GetName()]) < wanted(e.st.live[d.GetName()], d) {
			return false
		}
	}
	return true
}

// readyPods counts the release's ready pods by workload.
func (e *entry) readyPods(ctx context.Context) (map[string]int, error) {
	found, err := e.c.podsOf(ctx, e.o.Service, e.o.Environment)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, pod := range found {
		if releaseOf(pod) != e.o.ID || !podReady(pod) {
			continue
		}
		for _, d := range e.b.ours {
			if ownedBy(pod, d.GetName()) {
				count[d.GetName()]++
			}
		}
	}
	return count, nil
}

// clear makes sure that nothing but what serves, and this release, has pods: a
// release that was left beside by an earlier run goes first, and one that was
// given the traffic but never accepted is completed.
func (e *entry) clear(ctx context.Context) error {
	beside := e.st.beside()
	if beside == "" || beside == e.o.ID || e.st.traffic == "" {
		return nil
	}
	before, err := e.t.serving(ctx, e.c, e.st, e.o)
	if err != nil {
		return err
	}
	e.say("clearing away " + string(beside) + ", which was left beside what serves")
	if err := e.calm(ctx, before, before.order.ID); err != nil {
		return err
	}
	if err := e.settleDown(ctx, before); err != nil {
		return err
	}
	e.st, err = e.c.state(ctx, e.o.Service, e.o.Environment)
	return err
}

// settleDown takes the brake off a release and waits until it is alone.
func (e *entry) settleDown(ctx context.Context, b *bundle) error {
	w, err := e.c.watch(ctx, labelsOf(e.o.Service, e.o.Environment), podLabels(e.o.Service))
	if err != nil {
		return err
	}
	defer w.close()
	if err := e.apply(ctx, b.ours, true); err != nil {
		return err
	}
	return e.t.await(ctx, e.c, w, e.completed(b), e.say)
}

// surge is how many of the release's pods there are to be, beside those that
// serve.
func (e *entry) surge() func(*unstructured.Unstructured) int64 {
	return func(d *unstructured.Unstructured) int64 {
		n := wanted(e.st.live[d.GetName()], d)
		switch e.o.Strategy {
		case delivery.BlueGreen:
			return max(n, 1)
		case delivery.Canary:
			return 1
		}
		return surgeOf(d, n)
	}
}

// groundwork is what new pods need and old ones do not notice: what has a name
// of its own for each content, accounts, and whatever is not there yet.
func (e *entry) groundwork() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range e.b.rest {
		switch o.GetKind() {
		case "Namespace", "CustomResourceDefinition", "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "PersistentVolumeClaim":
			out = append(out, o)
		default:
			if e.st.traffic == "" && !steering(o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// steering are the kinds that move users or replicas.
func steering(o *unstructured.Unstructured) bool {
	switch o.GetKind() {
	case "Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget":
		return true
	}
	return false
}

// apply makes objects so under the lock.
func (e *entry) apply(ctx context.Context, objects []*unstructured.Unstructured, force bool) error {
	objects, err := e.withSecrets(ctx, objects)
	if err != nil {
		return err
	}
	bounded, cancel, err := e.l.guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := e.c.applyAll(bounded, objects, manner{force: force}); err != nil {
		if lost := e.l.check(); lost != nil && ctx.Err() == nil {
			return lost
		}
		return err
	}
	return nil
}

func (e *entry) awaited(surge func(*unstructured.Unstructured) int64) awaited {
	a := awaited{release: e.o.ID, held: true, want: map[string]int{}}
	for _, d := range e.b.ours {
		n, live := wanted(e.st.live[d.GetName()], d), e.st.live[d.GetName()]
		if live != nil && templateOf(live) != e.o.ID || e.st.traffic != "" && e.st.traffic != e.o.ID && live != nil {
			n = min(n, surge(d))
		}
		a.want[d.GetName()] = int(n)
		a.names = append(a.names, d.GetName())
	}
	return a
}

// completed is a release that is alone, with all its pods.
func (e *entry) completed(b *bundle) awaited {
	a := awaited{release: b.order.ID, want: map[string]int{}}
	for _, d := range b.ours {
		a.want[d.GetName()] = int(wanted(e.st.live[d.GetName()], d))
		a.names = append(a.names, d.GetName())
	}
	a.also = func(s seen) string {
		for _, pod := range s.pods {
			if releaseOf(pod) != b.order.ID && pod.DeletionTimestamp == nil {
				return fmt.Sprintf("pod %s of %s has still to go", pod.Name, releaseOf(pod))
			}
		}
		return ""
	}
	return a
}

// address is where only this release answers.
func (e *entry) address() (string, error) {
	return e.t.forwardTo(e.c, e.o.Service, e.o.Environment, e.o.ID, e.b.entries)
}
