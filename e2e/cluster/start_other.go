//go:build !linux

package cluster

import (
	"context"
	"fmt"
	"runtime"
)

// Start needs Linux.
func Start(context.Context, Config) (*Cluster, error) {
	return nil, fmt.Errorf("start a cluster on %s: it needs Linux's namespaces (use Existing with kind, k3d or minikube): %w", runtime.GOOS, ErrUnsupported)
}
