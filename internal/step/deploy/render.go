package deploy

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// render returns the release's configuration on a target that renders objects, with
// the values of their Secrets; nil on any other.
func (d *deployment) render(ctx context.Context, rel delivery.Release, from step.ManifestParams) (*delivery.Configuration, []port.Secret, error) {
	renderer, ok := d.Target.(port.Renderer)
	if !ok {
		return nil, nil, nil
	}
	m := port.Manifests{
		Service: d.Request.Service, Paths: from.Manifests, Values: from.Values, Image: rel.Image,
		Workload: rel.Workload, Model: rel.Model, Delivery: from.ModelDelivery,
	}
	var err error
	if len(from.Manifests) > 0 {
		if m.Dir, err = d.Request.Checkout(ctx); err != nil {
			return nil, nil, fmt.Errorf("check out the manifests: %w", err)
		}
	}
	if m.ModelImage, err = d.packModel(ctx, rel); err != nil {
		return nil, nil, err
	}
	if m.Location, err = step.LocateModel(ctx, d.Models, rel.Model, from.ModelDelivery); err != nil {
		return nil, nil, err
	}
	out, err := renderer.Render(ctx, m)
	if err != nil {
		return nil, nil, fmt.Errorf("render the manifests: %w", err)
	}
	for _, note := range out.Notes {
		d.Request.Logf("%s", note)
	}
	return &delivery.Configuration{Workload: rel.Workload, Manifests: out.Digest(), Objects: out.Objects}, out.Secrets, nil
}

// packModel stores the model beside the image, unless the service loads it itself.
func (d *deployment) packModel(ctx context.Context, rel delivery.Release) (delivery.Image, error) {
	if rel.Model == nil || d.params.ModelDelivery == delivery.DeliverByEnv {
		return delivery.Image{}, nil
	}
	d.Request.Progress("packing model %s", rel.Model)
	img, err := step.PackModel(ctx, d.step.ModelImages, *rel.Model, rel.Image.Repository)
	if err == nil {
		d.packed = append(d.packed, img.Digest)
	}
	return img, err
}
