//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

func build(context.Context, cluster.Config) error {
	return fmt.Errorf("build a cluster's binary on %s: %w", runtime.GOOS, cluster.ErrUnsupported)
}
