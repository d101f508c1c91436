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
