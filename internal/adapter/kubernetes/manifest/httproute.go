package manifest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

const (
	canarySuffix = "-canary"
	gatewayGroup = "gateway.networking.k8s.io"
)

// Routes returns the HTTPRoutes that lead to one of the set's Services: with them a
// share of the requests does not depend on the number of pods.
func (s *Set) Routes() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range s.Others {
		if o.GetKind() != "HTTPRoute" || o.GroupVersionKind().Group != gatewayGroup {
			continue
		}
		for _, svc := range s.Services {
			if withWeight(o, svc.GetName(), 0) != nil {
				out = append(out, o)
				break
			}
		}
	}
	return out
}

// WeightedRoutes returns the routes so that the canary Services receive that
// percentage of the requests.
func (s *Set) WeightedRoutes(percent int) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, r := range s.Routes() {
		for _, svc := range s.Services {
			if weighted := withWeight(r, svc.GetName(), int64(percent)); weighted != nil {
				r = weighted
			}
		}
		out = append(out, r)
	}
	return out
}

// withWeight returns the route with that percentage for the canary of a Service, or
// nil if it does not lead to the Service.
func withWeight(route *unstructured.Unstructured, service string, percent int64) *unstructured.Unstructured {
	out := route.DeepCopy()
	rules, _, _ := unstructured.NestedSlice(out.Object, "spec", "rules")
	found := false
	for _, r := range rules {
		rule, ok := r.(map[string]any)
		if !ok {
			continue
		}
		refs, _ := rule["backendRefs"].([]any)
		if split, leads := splitBackends(refs, service, percent); leads {
			rule["backendRefs"], found = split, true
		}
	}
	if !found {
		return nil
	}
	_ = unstructured.SetNestedSlice(out.Object, rules, "spec", "rules") // it was a list
	return out
}

// splitBackends divides the Service's weight among it and its canary; the others keep
// their proportion.
func splitBackends(refs []any, service string, percent int64) (split []any, found bool) {
	for _, ref := range refs {
		backend, ok := ref.(map[string]any)
		if !ok {
			split = append(split, ref)
			continue
		}
		weight := int64(1) // the API's default
		if w, ok := backend["weight"].(int64); ok {
			weight = w
		}
		if backend["name"] != service || backend["kind"] != nil && backend["kind"] != "Service" {
			backend["weight"] = 100 * weight
			split = append(split, backend)
			continue
		}
		found = true
		canary := deepCopy(backend)
		backend["weight"] = weight * (100 - percent)
		canary["name"], canary["weight"] = service+canarySuffix, weight*percent
		split = append(split, backend, canary)
	}
	return split, found
}

func deepCopy(m map[string]any) map[string]any {
	return (&unstructured.Unstructured{Object: m}).DeepCopy().Object
}

// CanaryServices returns Services through which only the release's pods are reached.
func (s *Set) CanaryServices() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, svc := range s.Selecting(s.Release) {
		c := svc.DeepCopy()
		c.SetName(svc.GetName() + canarySuffix)
		annotations := c.GetAnnotations()
		annotations[labels.Canary] = "true"
		c.SetAnnotations(annotations)
		selector, _, _ := unstructured.NestedMap(svc.Object, "spec", "selector")
		ports, _, _ := unstructured.NestedSlice(svc.Object, "spec", "ports")
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
