package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/wait"
)

// maxRouteDelay is how long the controller of a route's Gateway may take until it has
// seen a change. A rollout does not depend on it: some write no status.
const maxRouteDelay = 15 * time.Second

// awaitSplitEnd waits until no controller leads requests to a canary's Service any
// more: its pods may end then.
func (op *operation) awaitSplitEnd(ctx context.Context, set *manifest.Set) error {
	if len(op.state.Canaries) == 0 {
		return nil
	}
	return op.awaitRoutes(ctx, set.Routes())
}

// awaitRoutes waits until the controllers of the routes' Gateways have seen the routes
// as they are.
func (op *operation) awaitRoutes(ctx context.Context, routes []*unstructured.Unstructured) error {
	bounded, cancel := context.WithTimeout(ctx, maxRouteDelay)
	defer cancel()
	for _, r := range routes {
		if err := op.awaitRoute(bounded, r); err == nil {
			continue
		} else if ctx.Err() != nil || bounded.Err() == nil {
			return waitEnded(ctx, "wait for the controller of "+client.Title(r), err)
		}
		op.report(fmt.Sprintf("the controller of %s has not reported within %s that it has taken over its backends", client.Title(r), maxRouteDelay))
	}
	return nil
}

// awaitRoute waits until every controller that reports on the route has seen it as it
// is now. A route that no controller reports on is not waited for.
func (op *operation) awaitRoute(ctx context.Context, route *unstructured.Unstructured) error {
	return wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		live, err := getLive(ctx, op.client, route)
		if err != nil || live == nil {
			return live == nil, err
		}
		behind := controllersBehind(live)
		if len(behind) > 0 {
			op.report(fmt.Sprintf("waiting until %s has taken over the backends of %s", strings.Join(behind, ", "), client.Title(live)))
		}
		return len(behind) == 0, nil
	})
}

// controllersBehind returns the names of the controllers whose report on an HTTPRoute is
// about an earlier generation of it, or that have not seen one of its Services. By the
// Gateway API, the conditions of each parent name the generation that they are about.
func controllersBehind(route *unstructured.Unstructured) []string {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	var behind []string
	for _, p := range parents {
		parent, _ := p.(map[string]any)
		conditions, _ := parent["conditions"].([]any)
		if slices.ContainsFunc(conditions, func(c any) bool { return isBehind(c, route.GetGeneration()) }) {
			name, _ := parent["controllerName"].(string)
			behind = append(behind, name)
		}
	}
	return behind
}

func isBehind(c any, generation int64) bool {
	condition, _ := c.(map[string]any)
	if condition["status"] != string(metav1.ConditionTrue) {
		return condition["type"] == "ResolvedRefs" && condition["reason"] == "BackendNotFound"
	}
	observed, reported := condition["observedGeneration"].(int64)
	return reported && observed < generation
}
