package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// imageRecord is a note of the image that a model was packed as. It is kept in the
// state folder: a registry has more writers than the machine that packed it.
type imageRecord struct {
	Image delivery.Digest   `json:"image"`
	Model map[string]string `json:"model"` // labels of the image
}

// Pack makes an image of the model and pushes it. What is in a registry is believed
// by its digest only, which is computed here or was noted by this machine: whoever can
// write there must not choose what pods run.
func (r *Registry) Pack(ctx context.Context, m delivery.ModelRef, repository string) (delivery.Image, error) {
	p, err := r.newPacker(ctx, m)
	if err != nil {
		return delivery.Image{}, err
	}
	at, err := r.repoRef(ctx, repository)
	if err != nil {
		return delivery.Image{}, err
	}
	img := delivery.Image{Repository: repository, Digest: p.recordedImage()}
	if img.Digest != "" && at.isAt(at.repo.Tag(p.tag("model")), img) {
		return img, nil
	}
	what, parts, err := p.build(ctx)
	if err != nil {
		return delivery.Image{}, err
	}
	digest, err := what.Digest()
	if err != nil {
		return delivery.Image{}, fmt.Errorf("%s: %w", p.act, err)
	}
	img.Digest = delivery.Digest(digest.String())
	if !at.isAt(at.repo.Tag(p.tag("model")), img) {
		err := at.send(ctx, "push the model's image "+img.String(), at.repo.Tag(p.tag("model")), what, parts, nil)
		if err != nil {
			return delivery.Image{}, p.toFault(ctx, err)
		}
		if err := at.save(ctx, img.Digest); err != nil {
			return delivery.Image{}, p.toFault(ctx, err)
		}
	}
	return img, p.recordImage(img.Digest)
}

// recordedImage returns the digest of the image that this machine made of this model
// and these programs before, or "". Errors are left to the packing.
func (p packer) recordedImage() delivery.Digest {
	if p.record == "" {
		return ""
	}
	raw, err := os.ReadFile(p.record)
	if err != nil {
		return ""
	}
	var n imageRecord
	if json.Unmarshal(raw, &n) != nil || !n.Image.Valid() || !maps.Equal(n.Model, p.labels) {
		return ""
	}
	return n.Image
}

func (p packer) recordImage(d delivery.Digest) error {
	if p.record == "" || p.recordedImage() == d {
		return nil
	}
	raw, err := json.Marshal(imageRecord{Image: d, Model: p.labels})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(p.record), 0o700)
	}
	if err == nil {
		err = atomicfile.Write(p.record, raw, 0o600)
	}
	if err != nil {
		return fault.New(fault.FileKind(err), "%s: record its image", p.act).Cause(err)
	}
	return nil
}

// build reads the whole model once, for the digests; nothing of it is kept.
func (p packer) build(ctx context.Context) (taggable, []v1.Descriptor, error) {
	text, files, err := p.source.modelManifest(ctx, p.act, p.model.Digest)
	if err != nil {
		return nil, nil, err
	}
	var common []v1.Layer
	for _, group := range groupIntoLayers(files) {
		layer, err := p.filesLayer(group)
		if err != nil {
			return nil, nil, p.toFault(ctx, err)
		}
		common = append(common, layer)
	}
	note, err := newTarLayer(dirEntry(modelfiles.Folder),
		memoryEntry(path.Join(modelfiles.Folder, modelfiles.ManifestName), 0o444, text))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.act, err)
	}
	what, parts, err := p.images(append(common, note))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.act, err)
	}
	return what, parts, nil
}

// toFault names the file, if it is one that made trouble.
func (p packer) toFault(ctx context.Context, err error) error {
	var file *entryError
	if errors.As(err, &file) {
		return p.source.fileFault(ctx, p.act, file.name, file.err)
	}
	return fmt.Errorf("%s: %w", p.act, err)
}
