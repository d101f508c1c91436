package deploy

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// render adds the objects that the release is made of, for a target that has
// some, and returns the values of their Secrets.
func (s Step) render(ctx context.Context, r step.Request, w step.DeployParams, t port.Target, rel *delivery.Release) ([]port.Secret, error) {
	renderer, ok := t.(port.Renderer)
	if !ok {
		return nil, nil
	}
	m := port.Manifests{
		Service: r.Service, Paths: w.Manifests, Values: w.Values, Image: rel.Image,
		Workload: rel.Workload, Model: rel.Model, Delivery: w.ModelDelivery,
	}
	var err error
	if len(w.Manifests) > 0 {
		if m.Dir, err = r.Checkout(ctx); err != nil {
			return nil, fmt.Errorf("check out the manifests: %w", err)
		}
	}
	if m.ModelImage, err = s.pack(ctx, r, w, *rel); err != nil {
		return nil, err
	}
	out, err := renderer.Render(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("render the manifests: %w", err)
	}
	for _, note := range out.Notes {
		r.Logf("%s", note)
	}
	rel.Objects, rel.Manifests = out.Objects, out.Digest()
	return out.Secrets, nil
}

// pack puts the model beside the image, where it is not the service that loads it.
func (s Step) pack(ctx context.Context, r step.Request, w step.DeployParams, rel delivery.Release) (delivery.Image, error) {
	if rel.Model == nil || w.ModelDelivery == delivery.DeliverByEnv {
		return delivery.Image{}, nil
	}
	r.Progress("packing model %s", rel.Model)
	return step.PackModel(ctx, s.ModelImages, *rel.Model, rel.Image.Repository)
}
