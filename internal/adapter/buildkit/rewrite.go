package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

const maxDepth = 3 // indexes in indexes

// finishLayout makes a layout of the blobs that BuildKit wrote into the store: its layers
// get their final form, the image states what it was built from, and index.json
// lists it.
func finishLayout(ctx context.Context, s *store, top delivery.Digest, o origin) (port.BuiltImage, error) {
	l := layout{ctx: ctx, store: s, dir: s.dir, origin: o, kept: map[delivery.Digest]int64{}}
	if !top.Valid() {
		return port.BuiltImage{}, fmt.Errorf("BuildKit returned an invalid digest: %q", top)
	}
	image, err := l.rewrite(ocispecs.Descriptor{Digest: digest.Digest(top)}, maxDepth)
	if err != nil {
		return port.BuiltImage{}, err
	}
	index := ocispecs.Index{MediaType: ocispecs.MediaTypeImageIndex, Manifests: []ocispecs.Descriptor{image}}
	index.SchemaVersion = 2
	if err := l.writeJSON("index.json", index); err != nil {
		return port.BuiltImage{}, err
	}
	if err := l.writeJSON(ocispecs.ImageLayoutFile, ocispecs.ImageLayout{Version: ocispecs.ImageLayoutVersion}); err != nil {
		return port.BuiltImage{}, err
	}
	if err := l.removeUnused(); err != nil {
		return port.BuiltImage{}, err
	}
	built := port.BuiltImage{Digest: delivery.Digest(image.Digest)}
	for _, size := range l.kept {
		built.Size += size
	}
	return built, nil
}

// rewrite rewrites a manifest or index and everything below it, and returns how to
// refer to it.
func (l layout) rewrite(d ocispecs.Descriptor, depth int) (ocispecs.Descriptor, error) {
	if depth == 0 {
		return d, errors.New("the image's indexes are nested too deeply")
	}
	var m manifest
	raw, err := ocilayout.Layout(l.dir).ReadBlob(delivery.Digest(d.Digest))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return d, fmt.Errorf("read manifest %s: %w", d.Digest, err)
	}
	changes := map[string]any{}
	var labels map[string]string
	switch {
	case m.Config != nil:
		if labels, err = l.rewriteImage(&m); err != nil {
			return d, err
		}
		changes["config"], changes["layers"] = m.Config, m.Layers
	case len(m.Manifests) > 0:
		var parts []digest.Digest
		for i, child := range m.Manifests {
			if m.Manifests[i], err = l.rewrite(child, depth-1); err != nil {
				return d, err
			}
			parts = append(parts, m.Manifests[i].Digest)
		}
		if labels, err = l.origin.labels(parts); err != nil {
			return d, err
		}
		changes["manifests"] = m.Manifests
	default:
		return d, fmt.Errorf("manifest %s is neither an image nor an index", d.Digest)
	}
	changed, err := patchJSON(raw, changes, "annotations", labels)
	if err != nil {
		return d, err
	}
	d.MediaType = m.MediaType
	return l.writeBlob(d, changed)
}
