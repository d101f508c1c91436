package buildkit

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// rewriteImage brings the layers into their final form and makes the configuration
// say it, the fixed time and our labels, which it returns.
func (l layout) rewriteImage(m *manifest) (map[string]string, error) {
	var c struct {
		History []ocispecs.History         `json:"history"`
		Config  map[string]json.RawMessage `json:"config"`
		RootFS  ocispecs.RootFS            `json:"rootfs"`
	}
	raw, err := ocilayout.Layout(l.dir).ReadBlob(delivery.Digest(m.Config.Digest))
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration %s: %w", m.Config.Digest, err)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("the image has %d layers, but its configuration lists %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	first := firstBuiltLayer(c.History, len(m.Layers), l.origin.files)
	for i := range m.Layers {
		if err := l.rewriteLayer(&m.Layers[i], &c.RootFS.DiffIDs[i], i >= first); err != nil {
			return nil, err
		}
	}
	labels, err := l.origin.labels(c.RootFS.DiffIDs)
	if err != nil {
		return nil, err
	}
	if c.Config == nil {
		c.Config = map[string]json.RawMessage{}
	}
	inner, err := json.Marshal(c.Config)
	if err == nil {
		inner, err = patchJSON(inner, nil, "Labels", labels)
	}
	if err == nil {
		raw, err = patchJSON(raw, map[string]any{
			"created": l.origin.files, "rootfs": c.RootFS, "config": json.RawMessage(inner),
		}, "", nil)
	}
	if err != nil {
		return nil, fmt.Errorf("write the image's configuration: %w", err)
	}
	*m.Config, err = l.writeBlob(*m.Config, raw)
	return labels, err
}

// firstBuiltLayer is the number of the first layer that the Dockerfile made; those before
// are the base image's and stay as they are. BuildKit gives entries of its own the
// files' time. A history that does not fit says nothing: then all are our own.
func firstBuiltLayer(history []ocispecs.History, layers int, files time.Time) int {
	first, at := -1, 0
	for _, h := range history {
		if h.EmptyLayer {
			continue
		}
		if first < 0 && h.Created != nil && h.Created.Equal(files) {
			first = at
		}
		at++
	}
	switch {
	case at != layers:
		return 0
	case first < 0:
		return layers
	}
	return first
}

// rewriteLayer gives a layer its final form, unless it is the base's.
func (l layout) rewriteLayer(d *ocispecs.Descriptor, diff *digest.Digest, own bool) error {
	original := delivery.Digest(d.Digest)
	if !original.Valid() {
		return fmt.Errorf("layer %q has no digest", original)
	}
	p, lent := l.store.reusedLayer(original)
	if !lent {
		if err := l.checkSize(*d); err != nil {
			return err
		}
		if !own {
			l.kept[original] = d.Size
			return nil
		}
		var err error
		if p, err = normalizeLayer(l.ctx, l.blob(original), filepath.Join(l.dir, "blobs", "sha256"), l.origin.files); err != nil {
			return fmt.Errorf("normalize layer %s: %w", original, err)
		}
		l.store.cache.store(original, p)
	}
	l.kept[p.Digest] = p.Size
	*diff = digest.Digest(p.DiffID)
	*d = ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayerGzip, Digest: digest.Digest(p.Digest), Size: p.Size}
	return nil
}
