package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// watching keeps a copy of what belongs to a service in an environment, by
// watches: the API server tells what changes, nobody asks again and again.
type watching struct {
	c       *cluster
	changed chan struct{} // holds one token when something changed

	deployments, sets, pods cache.SharedIndexInformer
	events                  []cache.SharedIndexInformer

	mu     sync.Mutex
	denied error // the last refusal
	stop   context.CancelFunc
}

// watch starts to watch; close ends it. It returns once the first copy is whole.
func (c *cluster) watch(ctx context.Context, labels, podLabels string) (*watching, error) {
	run, stop := context.WithCancel(ctx)
	w := &watching{c: c, changed: make(chan struct{}, 1), stop: stop}
	w.deployments = w.inform(run, deployments(), labels, "")
	w.sets = w.inform(run, replicaSets(), podLabels, "")
	w.pods = w.inform(run, pods(), podLabels, "")
	w.events = append(w.events, w.inform(run, events(), "", "type=Warning"), w.inform(run, events(), "", "reason=TriggeredScaleUp"))
	all := append([]cache.SharedIndexInformer{w.deployments, w.sets, w.pods}, w.events...)
	for _, i := range all {
		for !i.HasSynced() {
			if err := w.refusal(); err != nil {
				stop()
				return nil, err
			}
			select {
			case <-ctx.Done():
				stop()
				return nil, context.Cause(ctx)
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	return w, nil
}

func (w *watching) close() { w.stop() }

func (w *watching) inform(ctx context.Context, k kind, labels, fields string) cache.SharedIndexInformer {
	i := dynamicinformer.NewFilteredDynamicInformer(w.c.client, k.resource, w.c.namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.LabelSelector, o.FieldSelector = labels, fields
	}).Informer()
	tell := func(any) {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	_, _ = i.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only for a stopped informer
		AddFunc: tell, UpdateFunc: func(_, now any) { tell(now) }, DeleteFunc: tell,
	})
	_ = i.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { // likewise
		refused := apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
		if !refused {
			w.c.line.cut()
		}
		if refused && !w.c.line.wakes() {
			w.mu.Lock()
			w.denied = unreachable("watch "+k.resource.Resource+" in "+w.c.where, err)
			w.mu.Unlock()
			tell(nil)
		}
	})
	go i.RunWithContext(ctx)
	return i
}

func (w *watching) refusal() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.denied
}

// objects copies an informer's store into a typed list.
func objects[T any](i cache.SharedIndexInformer) ([]T, error) {
	var out []T
	for _, o := range i.GetStore().List() {
		u, ok := o.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &typed); err != nil {
			return nil, fmt.Errorf("read %s: %w", title(u), err)
		}
		out = append(out, typed)
	}
	return out, nil
}

// seen is a whole copy at one moment.
type seen struct {
	deployments []*unstructured.Unstructured
	sets        []appsv1.ReplicaSet
	pods        []corev1.Pod
	events      []corev1.Event
}

func (w *watching) look() (s seen, err error) {
	for _, o := range w.deployments.GetStore().List() {
		if u, ok := o.(*unstructured.Unstructured); ok {
			s.deployments = append(s.deployments, u)
		}
	}
	if s.sets, err = objects[appsv1.ReplicaSet](w.sets); err != nil {
		return s, err
	}
	if s.pods, err = objects[corev1.Pod](w.pods); err != nil {
		return s, err
	}
	for _, i := range w.events {
		more, err := objects[corev1.Event](i)
		if err != nil {
			return s, err
		}
		s.events = append(s.events, more...)
	}
	return s, nil
}

// deployment finds a live Deployment by its name, or nil.
func (s seen) deployment(name string) *unstructured.Unstructured {
	for _, d := range s.deployments {
		if d.GetName() == name {
			return d
		}
	}
	return nil
}
