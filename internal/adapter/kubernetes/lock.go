package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/fault"
)

// LockTimes are the paces of an environment's lock. Zero values are useful.
type LockTimes struct {
	Lasts  time.Duration // after this without a sign of life it is free: default 20 s
	Renews time.Duration // default a quarter of Lasts
	Asks   time.Duration // how often a taken one is asked for: default 500 ms
	Waits  time.Duration // how long it is waited for: default 10 min
}

func (l LockTimes) complete() LockTimes {
	if l.Lasts <= 0 {
		l.Lasts = 20 * time.Second
	}
	if l.Renews <= 0 {
		l.Renews = l.Lasts / 4
	}
	if l.Asks <= 0 {
		l.Asks = 500 * time.Millisecond
	}
	if l.Waits <= 0 {
		l.Waits = 10 * time.Minute
	}
	return l
}

// lock is a Lease that we hold: one run at a time changes an environment, also
// when two Slipways with records of their own deliver there.
type lock struct {
	times  LockTimes
	api    *cluster
	name   string
	holder string
	host   string
	clock  func() time.Time

	fence int64 // grows with every change of the holder
	stop  context.CancelFunc
	ended chan struct{}

	mu    sync.Mutex
	until time.Time // it is ours before this moment, by our own clock
	lost  string
}

// take waits until the lock is free.
func (l *lock) take(ctx context.Context, say func(string)) error {
	begun, seen, last := l.clock(), watched{}, ""
	for {
		by, err := l.try(ctx, &seen)
		if errors.Is(err, errTaken) {
			by, err = "another run", nil
		}
		if err != nil || by == "" {
			return err
		}
		if l.clock().Sub(begun) > l.times.Waits {
			return fault.New(fault.Conflict, "wait for the lock %s in %s: %s has held it for %s", l.name, l.api.where, by, l.times.Waits).
				Hint("wait until it is done, or end it where it runs")
		}
		if by != last {
			say("waiting for " + by + " to be done here")
			last = by
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(l.times.Asks):
		}
	}
}

// watched is a foreign lock under observation. Clocks of machines differ: it has
// expired when we have seen no sign of life for its time, by our own clock.
type watched struct {
	sign  string // resourceVersion
	since time.Time
}

// try takes the lock when it is free; otherwise it names the holder.
func (l *lock) try(ctx context.Context, seen *watched) (by string, err error) {
	asked := l.clock()
	found, err := l.api.get(ctx, leases(), "", l.name)
	if err != nil {
		return "", err
	}
	if found == nil {
		last, err := l.api.lastFence(ctx)
		if err != nil {
			return "", err
		}
		return "", l.write(ctx, nil, asked, last+1)
	}
	who, _, _ := unstructured.NestedString(found.Object, "spec", "holderIdentity")
	fence, _, _ := unstructured.NestedInt64(found.Object, "spec", "leaseTransitions")
	lasts, _, _ := unstructured.NestedInt64(found.Object, "spec", "leaseDurationSeconds")
	if seen.sign != found.GetResourceVersion() {
		*seen = watched{found.GetResourceVersion(), l.clock()} // asked may be long ago
	}
	expired := asked.Sub(seen.since) > time.Duration(lasts)*time.Second
	switch {
	case who == l.holder:
		return "", l.write(ctx, found, asked, max(fence, 1))
	case who == "" || expired:
		return "", l.write(ctx, found, asked, fence+1)
	}
	host := found.GetAnnotations()[hostAnnotation]
	if host != "" {
		host = " on " + host
	}
	return "run " + who + host, nil
}

// errTaken says that somebody was quicker.
var errTaken = errors.New("the lock was taken meanwhile")

// write makes the lock ours from asked on.
func (l *lock) write(ctx context.Context, found *unstructured.Unstructured, asked time.Time, fence int64) error {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{
			"name": l.name, "labels": map[string]any{managedBy: manager},
			"annotations": map[string]any{hostAnnotation: l.host},
		},
		"spec": map[string]any{
			"holderIdentity": l.holder, "leaseDurationSeconds": int64((l.times.Lasts + time.Second - 1) / time.Second),
			"renewTime": asked.UTC().Format("2006-01-02T15:04:05.000000Z"), "leaseTransitions": fence,
		},
	}}
	var err error
	api := l.api.in(leases(), "")
	if found == nil {
		_, err = api.Create(ctx, o, metav1.CreateOptions{FieldManager: manager})
	} else {
		o.SetResourceVersion(found.GetResourceVersion())
		_, err = api.Update(ctx, o, metav1.UpdateOptions{FieldManager: manager})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return l.mine(ctx)
	}
	if err != nil {
		return unreachable("take the lock "+l.name+" in "+l.api.where, err)
	}
	l.mu.Lock()
	l.until = asked.Add(l.times.Lasts)
	if l.fence != fence { // a renewal, beside which others read it, changes nothing
		l.fence = fence
	}
	l.mu.Unlock()
	return nil
}

// mine looks whether a write that seemed to fail was ours after all: its answer
// may have been lost.
func (l *lock) mine(ctx context.Context) error {
	asked := l.clock()
	found, err := l.api.get(ctx, leases(), "", l.name)
	if err != nil {
		return err
	}
	if found == nil {
		return errTaken
	}
	if who, _, _ := unstructured.NestedString(found.Object, "spec", "holderIdentity"); who != l.holder {
		return errTaken
	}
	fence, _, _ := unstructured.NestedInt64(found.Object, "spec", "leaseTransitions")
	return l.write(ctx, found, asked, fence)
}

// keep renews it until the end.
func (l *lock) keep(ctx context.Context) {
	defer close(l.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.times.Renews):
		}
		if !l.renew(ctx) {
			return
		}
	}
}

// renew gives it its full time again; false: it is lost for good.
func (l *lock) renew(ctx context.Context) bool {
	asked := l.clock()
	found, err := l.api.get(ctx, leases(), "", l.name)
	if err != nil {
		return true // its time runs out by itself
	}
	who := ""
	if found != nil {
		who, _, _ = unstructured.NestedString(found.Object, "spec", "holderIdentity")
	}
	if who != l.holder {
		l.lose("run " + who + " has it")
		return false
	}
	_ = l.write(ctx, found, asked, l.fence)
	return true
}

func (l *lock) lose(why string) {
	l.mu.Lock()
	l.lost = why
	l.mu.Unlock()
}

// check is fault.Conflict when the lock is not ours any more: whoever changes
// something asks before.
func (l *lock) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	why := l.lost
	if why == "" && !l.clock().Before(l.until) {
		why = "it could not be renewed"
	}
	if why == "" {
		return nil
	}
	return fault.New(fault.Conflict, "the lock %s in %s is lost: %s", l.name, l.api.where, why).
		Hint("another Slipway delivers here; `slipway status` shows what serves")
}

// guard bounds a change: it does not outlast the lock.
func (l *lock) guard(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, l.until.Sub(l.clock()))
	return bounded, cancel, nil
}

func (l *lock) end() {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
}

// free lets the next one in. A lock that is not ours any more is left alone.
func (l *lock) free(ctx context.Context) error {
	l.end()
	found, err := l.api.get(ctx, leases(), "", l.name)
	if err != nil || found == nil {
		return err
	}
	if who, _, _ := unstructured.NestedString(found.Object, "spec", "holderIdentity"); who != l.holder {
		return nil
	}
	if err := unstructured.SetNestedField(found.Object, "", "spec", "holderIdentity"); err != nil {
		return fmt.Errorf("free the lock %s: %w", l.name, err)
	}
	_, err = l.api.in(leases(), "").Update(ctx, found, metav1.UpdateOptions{FieldManager: manager})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return unreachable("free the lock "+l.name, err)
}

// mark is a switch that happens now, under this lock.
func (l *lock) mark() switched { return switched{l.fence, l.clock().UnixMilli()} }
