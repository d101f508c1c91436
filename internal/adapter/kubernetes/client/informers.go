package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/slipway-cd/slipway/internal/wait"
)

// Informers keep a copy of a service's workloads and pods, and of the namespace's
// events, by watching them.
type Informers struct {
	client  *Client
	changed chan struct{} // holds one token if something has changed

	deployments, replicaSets, pods cache.SharedIndexInformer
	events                         []cache.SharedIndexInformer

	mu          sync.Mutex
	rejected    error // the last refusal to watch
	interrupted bool
	stop        context.CancelFunc
}

// syncInterval is the pause between two looks whether the first copy is complete.
const syncInterval = 2 * time.Millisecond

// Watch starts to watch Deployments with one selector, their ReplicaSets and pods
// with another, and returns once the first copy is complete. It outlives the context:
// Close ends it.
func (c *Client) Watch(ctx context.Context, selector, podSelector string) (*Informers, error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	i := &Informers{client: c, changed: make(chan struct{}, 1), stop: stop}
	i.deployments = i.start(run, Deployments(), selector, "")
	i.replicaSets = i.start(run, ReplicaSets(), podSelector, "")
	i.pods = i.start(run, Pods(), podSelector, "")
	i.events = append(i.events, i.start(run, Events(), "", "type=Warning"), i.start(run, Events(), "", "reason=TriggeredScaleUp"))
	return i, i.sync(ctx, append([]cache.SharedIndexInformer{i.deployments, i.replicaSets, i.pods}, i.events...)...)
}

// sync waits until the first copy is complete.
func (i *Informers) sync(ctx context.Context, informers ...cache.SharedIndexInformer) error {
	for _, informer := range informers {
		err := wait.Poll(ctx, syncInterval, func(context.Context) (bool, error) { return informer.HasSynced(), i.Err() })
		if err != nil {
			i.stop()
			if ctx.Err() != nil {
				return fmt.Errorf("watch %s: %w", i.client.title, context.Cause(ctx))
			}
			return err
		}
	}
	return nil
}

// Close ends the watches.
func (i *Informers) Close() { i.stop() }

// Changed returns a channel that receives after each change.
func (i *Informers) Changed() <-chan struct{} { return i.changed }

// Err returns why the API server refuses to let us watch, or nil.
func (i *Informers) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rejected
}

// Interrupted reports whether a watch ever ended: the copy may have been old since.
func (i *Informers) Interrupted() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.interrupted
}

func (i *Informers) start(ctx context.Context, k Kind, selector, fields string) cache.SharedIndexInformer {
	informer := dynamicinformer.NewFilteredDynamicInformer(i.client.dynamic, k.Resource, i.client.namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.LabelSelector, o.FieldSelector = selector, fields
	}).Informer()
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only for a stopped informer
		AddFunc: func(any) { i.notify() }, UpdateFunc: func(any, any) { i.notify() }, DeleteFunc: func(any) { i.notify() },
	})
	_ = informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { i.watchFailed(k, err) }) // likewise
	go informer.RunWithContext(ctx)
	return informer
}

func (i *Informers) notify() {
	select {
	case i.changed <- struct{}{}:
	default:
	}
}

func (i *Informers) watchFailed(k Kind, err error) {
	i.mu.Lock()
	i.interrupted = true
	i.mu.Unlock()
	link := i.client.link
	if !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
		link.markInterrupted()
		return
	}
	if link.warmingUp() {
		return
	}
	i.mu.Lock()
	i.rejected = Explain("watch "+k.Resource.Resource+" in "+i.client.title, err)
	i.mu.Unlock()
	i.notify()
}

// Snapshot is the copy at one moment.
type Snapshot struct {
	Deployments []*unstructured.Unstructured
	ReplicaSets []appsv1.ReplicaSet
	Pods        []corev1.Pod
	Events      []corev1.Event
}

// Snapshot returns the copy as it is now.
func (i *Informers) Snapshot() (s Snapshot, err error) {
	s.Deployments = stored(i.deployments)
	if s.ReplicaSets, err = storedAs[appsv1.ReplicaSet](i.replicaSets); err != nil {
		return s, err
	}
	if s.Pods, err = storedAs[corev1.Pod](i.pods); err != nil {
		return s, err
	}
	for _, informer := range i.events {
		events, err := storedAs[corev1.Event](informer)
		if err != nil {
			return s, err
		}
		s.Events = append(s.Events, events...)
	}
	return s, nil
}

// Deployment returns a Deployment by its name, or nil.
func (s Snapshot) Deployment(name string) *unstructured.Unstructured {
	for _, d := range s.Deployments {
		if d.GetName() == name {
			return d
		}
	}
	return nil
}

func stored(informer cache.SharedIndexInformer) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range informer.GetStore().List() {
		if u, ok := o.(*unstructured.Unstructured); ok {
			out = append(out, u)
		}
	}
	return out
}

func storedAs[T any](informer cache.SharedIndexInformer) ([]T, error) {
	var out []T
	for _, o := range stored(informer) {
		typed, err := As[T](o)
		if err != nil {
			return nil, err
		}
		out = append(out, typed)
	}
	return out, nil
}
