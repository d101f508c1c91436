package buildkit

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// origin is what an image states about where it comes from. It depends neither on
// the commit nor on the time.
type origin struct {
	files   time.Time // the latest that a file may bear, and the image's own
	service string
	params  buildParams
}

// buildParams is what decides about an image besides the files: what the label
// ocilayout.BuiltFromLabel covers besides layers.
type buildParams struct {
	Dockerfile string            `json:"dockerfile"`
	Context    string            `json:"context,omitempty"`
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
}

// labels returns the labels of the configuration, and the annotations of the
// manifest, of what was made of the parts.
func (o origin) labels(parts []digest.Digest) (map[string]string, error) {
	all := make([]delivery.Digest, 0, len(parts))
	for _, p := range parts {
		all = append(all, delivery.Digest(p))
	}
	from, err := ocilayout.BuiltFrom(o.params, all...)
	return ocilayout.OriginLabels(o.service, from), err
}
