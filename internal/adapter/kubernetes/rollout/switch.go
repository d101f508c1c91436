package rollout

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// Switch is when a Service was switched to a release: the fencing token of the lease,
// and the time by its holder's clock in milliseconds.
type Switch struct{ Fence, Time int64 }

// String returns the switch as it is stored in the annotation labels.Fence.
func (s Switch) String() string { return fmt.Sprintf("%d.%d", s.Fence, s.Time) }

func (s Switch) after(o Switch) bool {
	return s.Fence > o.Fence || s.Fence == o.Fence && s.Time > o.Time
}

// SwitchOf returns the last switch of a Service, or the zero Switch.
func SwitchOf(svc *unstructured.Unstructured) (s Switch) {
	_, _ = fmt.Sscanf(svc.GetAnnotations()[labels.Fence], "%d.%d", &s.Fence, &s.Time) // what is missing stays 0
	return s
}

// LastFence returns the highest fencing token of the Services in the namespace, or 0.
// A lease that was deleted continues from it: Services refuse a lower one.
func LastFence(ctx context.Context, c *client.Client) (int64, error) {
	services, err := c.List(ctx, client.Services(), labels.Service)
	var last int64
	for i := range services {
		last = max(last, SwitchOf(&services[i]).Fence)
	}
	return last, err
}
