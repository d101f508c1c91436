package kubernetes

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Stage starts the release's pods next to those of the current one.
func (t *Target) Stage(ctx context.Context, o port.DeployRequest, report func(string)) (string, error) {
	op, err := t.beginRollout(ctx, o, report)
	if err != nil {
		return "", err
	}
	switch {
	case op.isRetained(ctx):
	case op.state.Traffic == o.ID && (o.Strategy != delivery.BlueGreen || !op.state.IsHeld(op.set)):
		err = op.complete(ctx, op.set) // it receives the traffic already: nothing is kept next to it
	default:
		if err = op.removeLeftover(ctx); err == nil {
			err = op.stage(ctx)
		}
	}
	if err != nil {
		return "", err
	}
	return op.address()
}

// removeLeftover makes sure that only the current release, and the request's, have pods:
// a release that an earlier run left staged goes first, and one that was given the
// traffic but not accepted is completed.
func (op *operation) removeLeftover(ctx context.Context) error {
	staged := op.state.Staged()
	if staged == "" || staged == op.request.ID || op.state.Traffic == "" {
		return nil
	}
	current, err := op.current(ctx)
	if err != nil {
		return err
	}
	op.report("removing " + string(staged) + ", left over from an earlier run")
	if err := op.restore(ctx, current); err != nil {
		return err
	}
	return op.refresh(ctx)
}

// stage runs the release's Jobs, applies it held, and waits for its pods.
func (op *operation) stage(ctx context.Context) error {
	objects := op.set.Prerequisites(op.state.Traffic == "")
	if op.state.Traffic != "" {
		companions, err := op.newCompanions(ctx)
		if err != nil {
			return err
		}
		objects = append(objects, companions...)
	}
	if len(op.set.JobsToRun(op.state.Traffic == "", op.request.Rollback)) > 0 {
		if err := op.apply(ctx, objects); err != nil {
			return err
		}
		if err := op.runJobs(ctx); err != nil {
			return err
		}
		objects = nil
	}
	informers, err := op.watch(ctx)
	if err != nil {
		return err
	}
	op.report("starting its pods next to the current release")
	if err := op.apply(ctx, append(objects, op.set.Held(op.surge)...)); err != nil {
		return err
	}
	return op.wait(ctx, informers, op.stagedCondition())
}

// surge returns how many pods of a workload are staged.
func (op *operation) surge(d *unstructured.Unstructured) int64 {
	n := op.state.WantedReplicas(d)
	switch op.request.Strategy {
	case delivery.BlueGreen:
		return max(n, 1)
	case delivery.Canary:
		return 1
	}
	return manifest.MaxSurge(d, n)
}

func (op *operation) stagedCondition() condition {
	cond := condition{release: op.request.ID, held: true, want: map[string]int{}}
	for _, d := range op.set.Workloads {
		n, live := op.state.WantedReplicas(d), op.state.Deployments[d.GetName()]
		otherServes := op.state.Traffic != "" && op.state.Traffic != op.request.ID
		if live != nil && (manifest.TemplateRelease(live) != op.request.ID || otherServes) {
			n = min(n, op.surge(d))
		}
		cond.want[d.GetName()] = int(n)
		cond.names = append(cond.names, d.GetName())
		if _, named := manifest.Replicas(d); !named {
			cond.scaled = append(cond.scaled, d.GetName())
		}
	}
	return cond
}
