package ko

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// label makes the image state whose it is and what it was built from: its layers,
// the base's among them. The same program has the same labels in every commit.
func label(img v1.Image, service string) (v1.Image, error) {
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	parts := make([]delivery.Digest, 0, len(c.RootFS.DiffIDs))
	for _, id := range c.RootFS.DiffIDs {
		parts = append(parts, delivery.Digest(id.String()))
	}
	from, err := ocilayout.BuiltFrom(c.Config.Entrypoint, parts...)
	if err != nil {
		return nil, err
	}
	labels := ocilayout.OriginLabels(service, from)
	c = c.DeepCopy()
	c.Config.Labels = labels
	labelled, err := mutate.ConfigFile(img, c)
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(labelled, labels).(v1.Image), nil
}
