package step

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// LocateModel returns where a service that loads its model itself finds it; zero if the
// model comes otherwise, or its registry can't tell.
func LocateModel(ctx context.Context, models port.ModelRegistry, m *delivery.ModelRef, by delivery.ModelDelivery) (port.ModelLocation, error) {
	locator, ok := models.(port.ModelLocator)
	if !ok || m == nil || by != delivery.DeliverByEnv {
		return port.ModelLocation{}, nil
	}
	l, err := locator.Locate(ctx, *m)
	if err != nil {
		return l, fmt.Errorf("find model %s for the service: %w", m, err)
	}
	return l, nil
}

// PackModel stores the model as an image in the service's repository: the attest
// step and the deploy step get the same one.
func PackModel(ctx context.Context, images port.ModelImagePacker, m delivery.ModelRef, repository string) (delivery.Image, error) {
	if images == nil {
		return delivery.Image{}, fault.New(fault.Internal, "pack model %s: no model image packer is configured", m)
	}
	img, err := images.Pack(ctx, m, repository)
	if err != nil {
		return img, fmt.Errorf("pack model %s: %w", m, err)
	}
	return img, nil
}
