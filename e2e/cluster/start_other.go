//go:build !linux

package cluster

import (
	"context"
	"fmt"
	"runtime"
)

// Start requires Linux.
func Start(context.Context, Config) (*Cluster, error) {
	return nil, fmt.Errorf("start a cluster on %s: Linux namespaces are required (use Existing with kind, k3d or minikube): %w", runtime.GOOS, ErrUnsupported)
}

// Ingress is an ingress controller, on Linux.
type Ingress struct{ IP, Class string }

// StartIngress requires Linux.
func (c *Cluster) StartIngress(context.Context, string, Config) (*Ingress, error) {
	return nil, fmt.Errorf("start an ingress controller on %s: Linux namespaces are required: %w", runtime.GOOS, ErrUnsupported)
}

// Logs returns nothing.
func (*Ingress) Logs() string { return "" }

// Stop does nothing.
func (*Ingress) Stop() error { return nil }
