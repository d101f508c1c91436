package kubernetes

import (
	"context"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/managedfields"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// DryRun applies everything as a server-side dry run. Namespaces and kinds that the
// release itself brings cannot be tried before they exist.
func (t *Target) DryRun(ctx context.Context, o port.DeployRequest, report func(string)) error {
	op, err := t.beginRollout(ctx, o, report)
	if err != nil {
		return err
	}
	op.report("running a server-side dry run")
	objects, err := op.withoutKnownSecrets(ctx, op.set.WithoutJobs())
	if err != nil {
		return err
	}
	jobs, err := unrunJobs(ctx, op.client, op.set, op.state.Traffic == "", o.Rollback)
	if err != nil {
		return err
	}
	objects = append(objects, jobs...)
	for _, d := range op.set.Workloads { // a number that was only scaled is no configuration: it is taken over without a conflict
		live := op.state.Deployments[d.GetName()]
		n, ok := manifest.Replicas(live)
		if _, named := manifest.Replicas(d); named && ok && managedfields.IsOnlyScaled(live) {
			manifest.SetReplicas(d, n)
		}
	}
	if err := op.checkOwnership(ctx); err != nil {
		return err
	}
	takeFrom, err := t.takeFrom(ctx, op.client, op.state, o, op.set)
	if err != nil {
		return err
	}
	force := t.section.TakeOver || op.wasAccepted(ctx)
	return op.client.ApplyAll(ctx, objects, client.ApplyOptions{DryRun: true, Force: force, TakeFrom: takeFrom})
}

// wasAccepted reports whether the release was deployed here before: its fields were
// ours then, and a rollback to it must not fail because of a manual change since.
func (op *operation) wasAccepted(ctx context.Context) bool {
	h, err := op.target.loadHistory(ctx, op.client, op.request.Service, op.request.Environment)
	return err == nil && wasAccepted(h, op.request.ID)
}

// checkOwnership refuses to take over workloads of another service or environment.
func (op *operation) checkOwnership(ctx context.Context) error {
	for _, o := range op.set.Workloads {
		live, err := op.client.Get(ctx, client.Deployments(), o.GetNamespace(), o.GetName())
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		l := live.GetLabels()
		if service, env := l[labels.Service], l[labels.Environment]; service != "" && (service != op.request.Service || env != string(op.request.Environment)) {
			return fault.New(fault.Conflict, "%s in %s belongs to service %s in environment %s", client.Title(o), op.client, service, env).
				Hint("use a separate namespace for each environment")
		}
	}
	return nil
}
