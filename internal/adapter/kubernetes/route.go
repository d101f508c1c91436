package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// canaryMark is on the Services that exist only while a canary has a share.
const (
	canaryMark   = "slipway.dev/canary"
	canarySuffix = "-canary"
	gatewayGroup = "gateway.networking.k8s.io"
)

// routes are the bundle's HTTPRoutes that lead to one of its entries: with them
// a share of the requests needs no share of the pods.
func (b *bundle) routes() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range b.rest {
		if o.GetKind() != "HTTPRoute" || o.GroupVersionKind().Group != gatewayGroup {
			continue
		}
		for _, s := range b.entries {
			if weighed(o, s.GetName(), 0) != nil {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

// weighed is the route with that percentage for the canary of a Service, or nil
// when it does not lead to the Service.
func weighed(route *unstructured.Unstructured, service string, percent int64) *unstructured.Unstructured {
	out := route.DeepCopy()
	rules, _, _ := unstructured.NestedSlice(out.Object, "spec", "rules")
	found := false
	for _, r := range rules {
		rule, ok := r.(map[string]any)
		if !ok {
			continue
		}
		refs, _ := rule["backendRefs"].([]any)
		if next, leads := divided(refs, service, percent); leads {
			rule["backendRefs"], found = next, true
		}
	}
	if !found {
		return nil
	}
	_ = unstructured.SetNestedSlice(out.Object, rules, "spec", "rules") // it was a list
	return out
}

// divided are a rule's backends with the Service's weight divided; the others'
// are as large beside it as before.
func divided(refs []any, service string, percent int64) (next []any, leads bool) {
	for _, ref := range refs {
		to, ok := ref.(map[string]any)
		if !ok {
			next = append(next, ref)
			continue
		}
		weight := int64(1) // the API's default
		if w, ok := to["weight"].(int64); ok {
			weight = w
		}
		if to["name"] != service || to["kind"] != nil && to["kind"] != "Service" {
			to["weight"] = 100 * weight
			next = append(next, to)
			continue
		}
		leads = true
		beside := deepCopied(to)
		to["weight"] = weight * (100 - percent)
		beside["name"], beside["weight"] = service+canarySuffix, weight*percent
		next = append(next, to, beside)
	}
	return next, leads
}

func deepCopied(m map[string]any) map[string]any {
	return (&unstructured.Unstructured{Object: m}).DeepCopy().Object
}

// canaries are the Services through which only the release's pods are reached.
func (b *bundle) canaries() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, s := range b.pinned(b.order.ID) {
		c := s.DeepCopy()
		c.SetName(s.GetName() + canarySuffix)
		annotations := c.GetAnnotations()
		annotations[canaryMark] = "true"
		c.SetAnnotations(annotations)
		selector, _, _ := unstructured.NestedMap(s.Object, "spec", "selector")
		ports, _, _ := unstructured.NestedSlice(s.Object, "spec", "ports")
		for _, p := range ports {
			if m, ok := p.(map[string]any); ok {
				delete(m, "nodePort")
			}
		}
		c.Object["spec"] = map[string]any{"type": "ClusterIP", "selector": selector, "ports": ports}
		out = append(out, c)
	}
	return out
}

// weigh gives the release its share by the routes' weights: the Services stay
// with the one before, and another one leads to the canary.
func (e *entry) weigh(ctx context.Context, before *bundle, percent int) error {
	if err := e.apply(ctx, e.b.canaries(), true); err != nil {
		return err
	}
	var routes []*unstructured.Unstructured
	for _, r := range before.routes() {
		for _, s := range before.entries {
			if w := weighed(r, s.GetName(), int64(percent)); w != nil {
				r = w
			}
		}
		routes = append(routes, r)
	}
	return e.apply(ctx, routes, true)
}

// forgetCanaries removes what led to a canary; the routes lead elsewhere by then.
func (e *entry) forgetCanaries(ctx context.Context) error {
	for _, s := range e.st.canaries {
		if err := e.take(ctx, thing{kind: services(), namespace: s.GetNamespace(), name: s.GetName(), title: title(s)}); err != nil {
			return err
		}
	}
	return nil
}

// calm leads everybody to the bundle's release: Services, and routes without
// weights.
func (e *entry) calm(ctx context.Context, b *bundle, id delivery.ReleaseID) error {
	for _, s := range b.pinned(id) {
		if err := e.fenced(ctx, s); err != nil {
			return err
		}
	}
	return e.apply(ctx, b.routes(), true)
}
