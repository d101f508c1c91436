package kubernetes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/wait"
)

// newCompanions returns the workloads beside the service, and their Services, that the
// cluster lacks: pods of the release may need them to become ready, and no one else
// notices them.
func (op *operation) newCompanions(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if len(op.set.Companions) == 0 {
		return nil, nil
	}
	candidates := op.set.Companions
	for _, o := range op.set.Others {
		if o.GetKind() == "Service" && o.GroupVersionKind().Group == "" {
			candidates = append(candidates[:len(candidates):len(candidates)], o)
		}
	}
	var out []*unstructured.Unstructured
	for _, o := range candidates {
		live, err := getLive(ctx, op.client, o)
		if err != nil {
			return nil, err
		}
		if live == nil {
			out = append(out, o)
		}
	}
	return out, nil
}

// applyOthers applies what Stage did not, and waits until the workloads beside the
// service run as the release has them.
func (op *operation) applyOthers(ctx context.Context, objects []*unstructured.Unstructured) error {
	before, err := op.generations(ctx)
	if err != nil {
		return err
	}
	if err := op.apply(ctx, objects); err != nil {
		return err
	}
	if len(op.set.Companions) == 0 {
		return nil
	}
	w := companionWait{op: op, before: before, start: op.client.Now()}
	return waitEnded(ctx, "wait for the workloads beside "+op.request.Service, wait.Poll(ctx, companionPollInterval, w.done))
}

// generations returns which generation the companions have that the release has not
// changed yet.
func (op *operation) generations(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	for _, o := range op.set.Companions {
		live, err := getLive(ctx, op.client, o)
		if err != nil {
			return nil, err
		}
		if live != nil && live.GetAnnotations()[labels.Release] != string(op.request.ID) {
			out[manifest.Key(o)] = live.GetGeneration()
		}
	}
	return out, nil
}

const (
	companionPollInterval = 500 * time.Millisecond
	// companionSettleTime is how long changed companions must be as they should be. One
	// without a readiness probe is ready for a moment before it crashes.
	companionSettleTime = 2 * time.Second
)

// companionWait is one wait for the workloads beside the service. One that the release
// has not changed is not waited for: whether it is in order is not the release's doing.
type companionWait struct {
	op       *operation
	before   map[string]int64 // see generations
	start    time.Time        // by the cluster's clock
	ready    time.Time        // since when they are as they should be; zero: they are not
	reported string
}

// done reports whether all of them are as they should be, or returns the verdict.
func (w *companionWait) done(ctx context.Context) (bool, error) {
	var pending []*unstructured.Unstructured
	for _, o := range w.op.set.Companions {
		live, err := getLive(ctx, w.op.client, o)
		if err != nil {
			return false, err
		}
		if live == nil {
			return false, fault.AsVerdict(fault.New(fault.Failed, "%s was deleted", client.Title(o)))
		}
		if generation, ok := w.before[manifest.Key(o)]; !ok || generation != live.GetGeneration() {
			pending = append(pending, live)
		}
	}
	now := w.op.client.Now()
	s := readiness.Snapshot{Workloads: pending, Now: now, PhaseStart: w.start}
	if readiness.Assess(s).State == readiness.Ready {
		if w.ready.IsZero() {
			w.ready = now
		}
		return len(pending) == 0 || now.Sub(w.ready) >= companionSettleTime, nil
	}
	w.ready = time.Time{}
	for _, o := range pending {
		pods, err := w.podsOf(ctx, o)
		if err != nil {
			return false, err
		}
		s.Pods = append(s.Pods, pods...)
	}
	v, err := w.op.assess(ctx, s)
	switch {
	case err != nil:
		return false, err
	case v.State == readiness.Failed:
		return false, verdictError(v, w.op.report)
	case v.Progress != w.reported && v.State != readiness.Ready:
		w.op.report(v.Progress)
		w.reported = v.Progress
	}
	if now.Sub(w.start) > maxWait {
		return false, fault.AsVerdict(fault.New(fault.Exhausted, "the workloads beside the service are not ready after %s: %s", maxWait, v.Progress))
	}
	return false, nil
}

func (w *companionWait) podsOf(ctx context.Context, o *unstructured.Unstructured) ([]corev1.Pod, error) {
	raw, found, _ := unstructured.NestedMap(o.Object, "spec", "selector") // the API has accepted it
	if !found {
		return nil, nil
	}
	selector, err := client.As[metav1.LabelSelector](&unstructured.Unstructured{Object: raw})
	if err != nil {
		return nil, err
	}
	return client.ListOf[corev1.Pod](ctx, w.op.client, client.Pods(), metav1.FormatLabelSelector(&selector))
}
