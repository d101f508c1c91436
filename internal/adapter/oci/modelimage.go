package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// recordType is a note, kept beside the model, of the image it was packed as.
const recordType = "application/vnd.slipway.model.image.v1"

// Pack makes an image of the model and pushes it. What is in the repository is
// believed by its digest only, which is computed here or was noted beside the
// model: whoever can write a tag there must not choose what pods run.
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
	if img.Digest != "" && at.isTagged(img, p.tag("model")) {
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
	if !at.isTagged(img, p.tag("model")) {
		err := at.send(ctx, "push the model's image "+img.String(), p.tag("model"), what, parts, nil)
		if err != nil {
			return delivery.Image{}, p.toFault(ctx, err)
		}
		if err := at.save(ctx, img.Digest); err != nil {
			return delivery.Image{}, p.toFault(ctx, err)
		}
	}
	return img, p.recordImage(ctx, img.Digest)
}

// recordedImage returns the digest of the image that this model and these
// programs made before, or "". Errors are left to the packing.
func (p packer) recordedImage() delivery.Digest {
	got, err := remote.Get(p.source.repo.Tag(p.tag("packed")), p.source.options...)
	if err != nil {
		return ""
	}
	var n manifest
	if json.Unmarshal(got.Manifest, &n) != nil || n.ArtifactType != recordType {
		return ""
	}
	digest := delivery.Digest(n.Annotations[imageKey])
	delete(n.Annotations, imageKey)
	if !digest.Valid() || !maps.Equal(n.Annotations, p.labels) {
		return ""
	}
	return digest
}

func (p packer) recordImage(ctx context.Context, d delivery.Digest) error {
	if p.recordedImage() == d {
		return nil
	}
	nothing := emptyLayer()
	n := manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: recordType,
		Config: nothing.Descriptor, Layers: []v1.Descriptor{nothing.Descriptor}, Annotations: maps.Clone(p.labels)}
	n.Annotations[imageKey] = string(d)
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("%s: %w", p.act, err)
	}
	err = remote.WriteLayer(p.source.repo, nothing, p.source.options...)
	if err == nil {
		err = remote.Put(p.source.repo.Tag(p.tag("packed")), rawManifest(text), p.source.options...)
	}
	return p.source.toFault(ctx, p.act+": record its image", err)
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
