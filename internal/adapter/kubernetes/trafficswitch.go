package kubernetes

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// selectRelease makes the set's Services select the pods of one release; an empty id:
// those of all releases.
func (op *operation) selectRelease(ctx context.Context, set *manifest.Set, id delivery.ReleaseID) error {
	for _, svc := range set.Selecting(id) {
		if err := op.switchService(ctx, svc); err != nil {
			return err
		}
	}
	return nil
}

// routeAllTo leads all requests to the set's release: its Services, and routes without
// weights.
func (op *operation) routeAllTo(ctx context.Context, set *manifest.Set) error {
	if err := op.selectRelease(ctx, set, set.Release); err != nil {
		return err
	}
	if err := op.apply(ctx, set.Routes()); err != nil {
		return err
	}
	return op.awaitSplitEnd(ctx, set)
}

// maxSwitchAttempts is how often a Service that changes concurrently is read again.
const maxSwitchAttempts = 10

// errDeleted means that a Service was deleted while it was switched.
var errDeleted = errors.New("it was deleted meanwhile")

// switchService applies a Service unless a holder of a later lease has switched it: the
// check and the change are one, by the object's resourceVersion.
func (op *operation) switchService(ctx context.Context, svc *unstructured.Unstructured) error {
	live := op.state.Service(svc) // a moment old: what has become of it since is seen by the API
	for range maxSwitchAttempts {
		bounded, cancel, err := op.lease.Guard(ctx)
		if err != nil {
			return err
		}
		err = op.trySwitch(bounded, svc, live)
		cancel()
		old := live != nil
		live = nil
		if old && errors.Is(err, errDeleted) {
			continue
		}
		if !apierrors.IsConflict(err) || client.ConflictingFields(err) != "" {
			return err
		}
	}
	return fault.New(fault.Conflict, "switch %s: it keeps changing concurrently", client.Title(svc))
}

// trySwitch applies a Service if it is still as it was read; nil: it is read first.
func (op *operation) trySwitch(ctx context.Context, svc, live *unstructured.Unstructured) (err error) {
	if live == nil {
		if live, err = op.client.Get(ctx, client.Services(), svc.GetNamespace(), svc.GetName()); err != nil {
			return err
		}
	}
	fence := op.lease.Fence()
	out := svc.DeepCopy()
	annotations := out.GetAnnotations()
	annotations[labels.Fence] = rollout.Switch{Fence: fence, Time: op.target.cfg.Clock().UnixMilli()}.String()
	out.SetAnnotations(annotations)
	if live != nil {
		if later := rollout.SwitchOf(live).Fence; later > fence {
			return fault.New(fault.Conflict, "switch %s in %s: a later run has switched it (lease %d, ours is %d)", client.Title(svc), op.client, later, fence).
				Hint("another Slipway deploys to this environment; see `slipway status`")
		}
		out.SetResourceVersion(live.GetResourceVersion())
	}
	if taken, err := op.takeAdded(ctx, out, live); err != nil {
		return err
	} else if taken {
		return op.trySwitch(ctx, svc, nil) // it has another resourceVersion now
	}
	_, err = op.client.In(client.Services(), out.GetNamespace()).Apply(ctx, out.GetName(), out, metav1.ApplyOptions{FieldManager: labels.Manager, Force: true})
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err):
		return err
	case live != nil && apierrors.IsNotFound(err):
		return fmt.Errorf("switch %s: %w: %w", client.Title(svc), errDeleted, err)
	}
	return op.client.ExplainApply(svc, err)
}
