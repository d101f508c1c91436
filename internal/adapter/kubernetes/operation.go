package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/lease"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// operation is a request at work, under the environment's lease.
type operation struct {
	target  *Target
	client  *client.Client
	request port.DeployRequest
	set     *manifest.Set // the request's objects; nil until load
	lease   *lease.Lease
	state   rollout.State // when the operation began
	report  func(string)
}

// begin connects, takes the environment's lease and reads its state.
func (t *Target) begin(ctx context.Context, o port.DeployRequest, report func(string)) (*operation, error) {
	if report == nil {
		report = func(string) {}
	}
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	op := &operation{target: t, client: c, request: o, report: report}
	if op.lease, err = t.acquire(ctx, c, o, report); err != nil {
		return nil, err
	}
	return op, op.refresh(ctx)
}

// beginRollout is begin for a request with objects.
func (t *Target) beginRollout(ctx context.Context, o port.DeployRequest, report func(string)) (*operation, error) {
	op, err := t.begin(ctx, o, report)
	if err != nil {
		return nil, err
	}
	if op.set, err = t.objects(ctx, op.client, o); err != nil {
		return op, err
	}
	return op, op.leaveReplicas(ctx, op.set)
}

// refresh reads the state again.
func (op *operation) refresh(ctx context.Context) (err error) {
	op.state, err = rollout.Read(ctx, op.client, op.request.Service, op.request.Environment)
	return err
}

// apply applies objects under the lease.
func (op *operation) apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	objects, err := op.withoutKnownSecrets(ctx, objects)
	if err != nil {
		return err
	}
	if err := (replicaKeeper{op.client, op.lease, op.state.Deployments}).keep(ctx, objects); err != nil {
		return err
	}
	bounded, cancel, err := op.lease.Guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = op.takeAddedToWorkloads(bounded, objects)
	if err == nil {
		err = op.client.ApplyAll(bounded, objects, client.ApplyOptions{Force: true, Added: op.takeAdded})
	}
	if err != nil {
		if lost := op.lease.Check(); lost != nil && ctx.Err() == nil {
			return lost
		}
		return err
	}
	return nil
}

// patch changes an object under the lease, and returns it as it is now.
func (op *operation) patch(ctx context.Context, kind client.Kind, o *unstructured.Unstructured, how types.PatchType, patch []byte, dryRun ...string) (*unstructured.Unstructured, error) {
	bounded, cancel, err := op.lease.Guard(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	opts := metav1.PatchOptions{FieldManager: labels.Manager, DryRun: dryRun}
	now, err := op.client.In(kind, o.GetNamespace()).Patch(bounded, o.GetName(), how, patch, opts)
	return now, client.Explain("change "+client.Title(o), err)
}

// delete removes an object under the lease.
func (op *operation) delete(ctx context.Context, kind client.Kind, o *unstructured.Unstructured) error {
	bounded, cancel, err := op.lease.Guard(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return op.client.Delete(bounded, kind, o.GetNamespace(), o.GetName())
}

// withoutKnownSecrets leaves out Secrets whose values the request lacks, and makes sure
// that the cluster has them: their names are those of their content.
func (op *operation) withoutKnownSecrets(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		_, hasData := o.Object["data"]
		if o.GetKind() != "Secret" || hasData || o.GetAnnotations()[labels.Keys] == "" {
			out = append(out, o)
			continue
		}
		live, err := op.client.Get(ctx, client.Secrets(), o.GetNamespace(), o.GetName())
		if err != nil {
			return nil, err
		}
		if live == nil {
			return nil, fault.New(fault.NotFound, "deploy %s: its Secret %s no longer exists in %s, and its values are not recorded", op.request.ID, o.GetName(), op.client).
				Hint("run the commit again: `slipway run --env %s`", op.request.Environment)
		}
	}
	return out, nil
}

// watch watches the service, until the environment's lease is released.
func (op *operation) watch(ctx context.Context) (*client.Informers, error) {
	return op.target.watch(ctx, op.client, op.request)
}

// leaveReplicas is leaveReplicas for a set that the operation applies.
func (op *operation) leaveReplicas(ctx context.Context, set *manifest.Set) error {
	left, err := leaveReplicas(ctx, op.client, op.state.Deployments, set)
	if err != nil {
		return err
	}
	for _, title := range slices.Sorted(maps.Keys(left)) {
		op.report(left[title])
	}
	return nil
}

// current returns what receives the traffic, as it is applied; nil if nothing does.
func (op *operation) current(ctx context.Context) (*manifest.Set, error) {
	set, err := op.target.currentObjects(ctx, op.client, op.state, op.request)
	if err != nil || set == nil {
		return nil, err
	}
	return set, op.leaveReplicas(ctx, set)
}

// wait waits until the condition is true. The informers must be older than the change
// that makes it true.
func (op *operation) wait(ctx context.Context, informers *client.Informers, cond condition) error {
	w := waiter{client: op.client, informers: informers, condition: cond, timeouts: op.target.cfg.Timeouts, set: op.set, report: op.report}
	defer op.client.ForgetLists() // the informers are ahead of them
	return w.wait(ctx)
}

// complete removes the hold from a release and waits until it is alone.
func (op *operation) complete(ctx context.Context, set *manifest.Set) error {
	informers, err := op.watch(ctx)
	if err != nil {
		return err
	}
	if err := op.apply(ctx, set.Workloads); err != nil {
		return err
	}
	cond := op.completeCondition(set)
	if op.state.Traffic == set.Release && set.Release == op.request.ID { // perhaps a repair
		if err := op.awaitTemplates(ctx, set, &cond); err != nil {
			return err
		}
	}
	return op.wait(ctx, informers, cond)
}

// completeCondition is that a release is alone in its workloads, with all its pods.
// Pods of workloads that it lacks are not waited for: they stay until it was accepted,
// as the release before it may have to come back.
func (op *operation) completeCondition(set *manifest.Set) condition {
	cond := condition{release: set.Release, want: map[string]int{}}
	for _, d := range set.Workloads {
		cond.want[d.GetName()] = int(op.state.WantedReplicas(d))
		cond.names = append(cond.names, d.GetName())
		if _, named := manifest.Replicas(d); !named {
			cond.scaled = append(cond.scaled, d.GetName())
		}
	}
	cond.further = func(s client.Snapshot) string {
		for _, pod := range s.Pods {
			if rollout.OwnedByAny(pod, cond.names) && rollout.ReleaseOf(pod) != set.Release && pod.DeletionTimestamp == nil {
				return fmt.Sprintf("pod %s of %s is still terminating", pod.Name, rollout.ReleaseOf(pod))
			}
		}
		return ""
	}
	return cond
}

// readyPods counts the ready pods of the request's release by workload.
func (op *operation) readyPods(ctx context.Context) (map[string]int, error) {
	pods, err := readyPodsOf(ctx, op.client, op.request.Service, op.request.ID)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, pod := range pods {
		for _, d := range op.set.Workloads {
			if rollout.OwnedBy(pod, d.GetName()) {
				count[d.GetName()]++
			}
		}
	}
	return count, nil
}

// allReady reports whether the request's release has all its pods, and they are ready.
func (op *operation) allReady(ctx context.Context) (bool, error) {
	ready, err := op.readyPods(ctx)
	if err != nil {
		return false, err
	}
	for _, d := range op.set.Workloads {
		if int64(ready[d.GetName()]) < op.state.WantedReplicas(d) {
			return false, nil
		}
	}
	return true, nil
}

// isRetained reports whether the release is the one before the staged one, and all its
// pods still run: then a rollback to it is instant.
func (op *operation) isRetained(ctx context.Context) bool {
	s := op.state
	if s.Traffic == "" || s.Traffic == op.request.ID || s.Staged() != s.Traffic {
		return false
	}
	ready, err := op.allReady(ctx)
	return err == nil && ready
}

// address returns an address that reaches only the request's release.
func (op *operation) address() (string, error) {
	return op.target.forward(op.client, op.request.Service, op.request.Environment, op.request.ID, op.set.Services)
}
