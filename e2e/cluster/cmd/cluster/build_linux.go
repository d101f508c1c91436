package main

import (
	"context"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

func build(ctx context.Context, config cluster.Config) error {
	_, err := cluster.Build(ctx, config)
	return err
}
