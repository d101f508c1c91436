package deploy

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// render adds the release's objects, on a target that renders some, and returns
// the values of their Secrets.
func (d *deployment) render(ctx context.Context, rel *delivery.Release) ([]port.Secret, error) {
	renderer, ok := d.Target.(port.Renderer)
	if !ok {
		return nil, nil
	}
	m := port.Manifests{
		Service: d.Request.Service, Paths: d.params.Manifests, Values: d.params.Values, Image: rel.Image,
		Workload: rel.Workload, Model: rel.Model, Delivery: d.params.ModelDelivery,
	}
	var err error
	if len(d.params.Manifests) > 0 {
		if m.Dir, err = d.Request.Checkout(ctx); err != nil {
			return nil, fmt.Errorf("check out the manifests: %w", err)
		}
	}
	if m.ModelImage, err = d.packModel(ctx, *rel); err != nil {
		return nil, err
	}
	out, err := renderer.Render(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	for _, note := range out.Notes {
		d.Request.Logf("%s", note)
	}
	rel.Objects, rel.Manifests = out.Objects, out.Digest()
	return out.Secrets, nil
}

// packModel stores the model beside the image, unless the service loads it itself.
func (d *deployment) packModel(ctx context.Context, rel delivery.Release) (delivery.Image, error) {
	if rel.Model == nil || d.params.ModelDelivery == delivery.DeliverByEnv {
		return delivery.Image{}, nil
	}
	d.Request.Progress("packing model %s", rel.Model)
	return step.PackModel(ctx, d.step.ModelImages, *rel.Model, rel.Image.Repository)
}
