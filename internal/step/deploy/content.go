package deploy

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
)

// checkExists refuses a recorded release whose image the registry no longer has. A
// registry that does not respond decides nothing: the target may have the image.
func (d *deployment) checkExists(ctx context.Context) error {
	images, image := d.step.Images, d.rel.Release.Image
	if images == nil {
		return nil
	}
	ok, err := images.Has(ctx, image)
	if err != nil {
		d.Request.Logf("look for the image of %s: %v", d.rel.ID, err)
		return nil
	}
	if !ok {
		return fault.New(fault.NotFound, "the image of release %s is not in the registry: %s", d.rel.ID, images.Reference(image)).
			Hint("deliver its commit again to build it")
	}
	return nil
}
