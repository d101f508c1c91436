package lease

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/textline"
)

// object is a Lease as it was read. resourcelock.LeaseLock of client-go would do,
// but it writes no annotations, and the host of the holder is one.
type object struct {
	*unstructured.Unstructured
	spec coordinationv1.LeaseSpec
}

// read returns the Lease, or nil if it does not exist.
func read(ctx context.Context, c *client.Client, name string) (*object, error) {
	o, err := c.Get(ctx, client.Leases(), "", name)
	if err != nil || o == nil {
		return nil, err
	}
	l, err := client.As[coordinationv1.Lease](o)
	if err != nil {
		return nil, err
	}
	return &object{o, l.Spec}, nil
}

func (o *object) holder() string {
	if o == nil || o.spec.HolderIdentity == nil {
		return ""
	}
	return *o.spec.HolderIdentity
}

func (o *object) duration() time.Duration {
	if o.spec.LeaseDurationSeconds == nil {
		return 0
	}
	return time.Duration(*o.spec.LeaseDurationSeconds) * time.Second
}

// transitions is the fencing token: it grows with every change of the holder.
func (o *object) transitions() int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, "spec", "leaseTransitions")
	return n
}

// describe names the holder for people.
func (o *object) describe() string {
	text := "run " + textline.Printable(o.holder(), maxName)
	if host := o.GetAnnotations()[labels.Host]; host != "" {
		text += " on " + textline.Printable(host, maxName)
	}
	return text
}

// lastWriter names who wrote the lease last, as the API server has recorded it.
func (o *object) lastWriter() string {
	writer, at := "", time.Time{}
	for _, m := range o.GetManagedFields() {
		if m.Time != nil && !m.Time.Time.Before(at) {
			writer, at = m.Manager, m.Time.Time
		}
	}
	if writer == "" {
		return "the API server does not report who wrote it"
	}
	return fmt.Sprintf("last written by %s at %s", textline.Printable(writer, maxName), at.UTC().Format(time.RFC3339))
}

// maxName is how much is shown of what others wrote into the lease, in characters.
const maxName = 100

// record is what a holder writes.
type record struct {
	name, holder, host string
	duration           time.Duration
	renewed            time.Time
	transitions        int64
}

// write creates the Lease, or replaces the one that was read. busy reports that
// another write came first.
func (r record) write(ctx context.Context, c *client.Client, before *object) (busy bool, err error) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{
			"name": r.name, "labels": map[string]any{labels.ManagedBy: labels.Manager},
			"annotations": map[string]any{labels.Host: r.host},
		},
		"spec": map[string]any{
			"holderIdentity": r.holder, "leaseDurationSeconds": int64((r.duration + time.Second - 1) / time.Second),
			"renewTime": r.renewed.UTC().Format(metav1.RFC3339Micro), "leaseTransitions": r.transitions,
		},
	}}
	api := c.In(client.Leases(), "")
	if before == nil {
		_, err = api.Create(ctx, o, metav1.CreateOptions{FieldManager: labels.Manager})
	} else {
		o.SetResourceVersion(before.GetResourceVersion())
		_, err = api.Update(ctx, o, metav1.UpdateOptions{FieldManager: labels.Manager})
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return true, nil
	}
	return false, client.Explain("acquire the lock "+r.name+" in "+c.String(), err)
}
