package main

import (
	"context"

	"github.com/slipway-cd/slipway/e2e/cluster"
)

func build(ctx context.Context, config cluster.Config) error {
	if _, err := cluster.Build(ctx, config); err != nil {
		return err
	}
	_, err := cluster.BuildIngress(ctx, config)
	return err
}
