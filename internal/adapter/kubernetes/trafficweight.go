package kubernetes

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SetWeight gives the staged release a share of the requests: by the weights of the
// HTTPRoutes that lead to it, or else by its share of the pods, for the Services then
// select both releases.
func (t *Target) SetWeight(ctx context.Context, o port.DeployRequest, percent int, report func(string)) (float64, error) {
	op, err := t.beginRollout(ctx, o, report)
	if err != nil {
		return 0, err
	}
	if op.state.Traffic == "" || op.state.Traffic == o.ID || !op.state.Runs(op.set) {
		return 0, fault.New(fault.Conflict, "send %d %% of the traffic of %s to %s: the release is not staged", percent, o.Environment, o.ID)
	}
	current, err := op.current(ctx)
	if err != nil {
		return 0, err
	}
	actual, err := op.scaleCanary(ctx, percent)
	if err != nil {
		return 0, err
	}
	if len(current.Routes()) > 0 {
		return float64(percent), op.weightRoutes(ctx, current, percent)
	}
	op.report(fmt.Sprintf("%.0f %% of the pods belong to %s", actual, o.ID))
	return actual, op.selectRelease(ctx, current, "") // their annotations still name the current release
}

// scaleCanary gives the release about that percentage of the pods, and returns the
// percentage that it really has.
func (op *operation) scaleCanary(ctx context.Context, percent int) (actual float64, err error) {
	informers, err := op.watch(ctx)
	if err != nil {
		return 0, err
	}
	cond := condition{release: op.request.ID, held: true, want: map[string]int{}}
	surge := func(d *unstructured.Unstructured) int64 {
		var n int64
		n, actual = manifest.CanaryReplicas(op.state.WantedReplicas(d), percent)
		cond.want[d.GetName()], cond.names = int(n), append(cond.names, d.GetName())
		return n
	}
	if err := op.apply(ctx, op.set.Held(surge)); err != nil {
		return 0, err
	}
	return actual, op.wait(ctx, informers, cond)
}

// weightRoutes gives the release its share by the routes' weights: the Services stay
// with the current release, and others lead to the canary.
func (op *operation) weightRoutes(ctx context.Context, current *manifest.Set, percent int) error {
	canaries := op.set.CanaryServices()
	if err := op.apply(ctx, canaries); err != nil {
		return err
	}
	if err := op.waitRouted(ctx, canaries); err != nil {
		return err
	}
	if len(op.state.Canaries) == 0 { // a controller answers the share of a Service that is new to it with 500
		if err := op.splitRoutes(ctx, current, 0); err != nil {
			return err
		}
	}
	return op.splitRoutes(ctx, current, percent)
}

// splitRoutes gives the canary Services that percentage of the requests, and waits
// until the controllers have seen it: the share counts from then on.
func (op *operation) splitRoutes(ctx context.Context, current *manifest.Set, percent int) error {
	weighted := current.WeightedRoutes(percent)
	if err := op.apply(ctx, weighted); err != nil {
		return err
	}
	return op.awaitRoutes(ctx, weighted)
}
