package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Push uploads what the registry lacks and tags it.
func (r *Registry) Push(ctx context.Context, dir string, img delivery.Image, tag string, p port.Progress) (delivery.Image, error) {
	if err := validateImage(img); err != nil {
		return delivery.Image{}, err
	}
	at, err := r.repoRef(ctx, img.Repository)
	if err == nil && tag != "" {
		err = validateTag(tag)
	}
	if err != nil {
		return delivery.Image{}, err
	}
	act := "push " + img.String()
	as := at.nameOf(img, tag)
	what, parts, err := fromLayout(dir, img)
	// The library looks for the tag itself, but knows nothing of blobs that the
	// embedded registry has lost.
	if (err != nil || at.embedded != nil) && at.isAt(as, img) {
		return img, at.toFault(ctx, act, at.save(ctx, img.Digest))
	}
	if err != nil {
		return delivery.Image{}, err
	}
	err = at.send(ctx, act, as, what, parts, p)
	if err == nil {
		err = at.toFault(ctx, act, at.save(ctx, img.Digest))
	}
	if err != nil {
		return delivery.Image{}, err
	}
	return img, nil
}

// nameOf is what an image is pushed as: its tag, or its digest without one.
func (p repoRef) nameOf(img delivery.Image, tag string) name.Reference {
	if tag == "" {
		return p.repo.Digest(string(img.Digest))
	}
	return p.repo.Tag(tag)
}

// send uploads the parts that are missing, and the name last.
func (p repoRef) send(ctx context.Context, act string, as name.Reference, what remote.Taggable, parts []v1.Descriptor, progress port.Progress) error {
	need, err := p.prepare(act, parts)
	if err != nil {
		return err
	}
	seen := newProgressTransport(p.transport, progress, parts)
	err = remote.Push(as, what, append(p.options, remote.WithTransport(seen))...)
	seen.finish(err == nil)
	if err != nil && p.embedded != nil && (isNoSpace(err) || lacksSpace(p.embedded.Dir(), need)) && ctx.Err() == nil {
		return diskFull(act, p.embedded.Dir(), "the image", need, err)
	}
	return p.namingBoth(ctx, as, what, p.toFault(ctx, act, err))
}

// namingBoth adds which image has the tag that can't be moved.
func (p repoRef) namingBoth(ctx context.Context, as name.Reference, what remote.Taggable, err error) error {
	if !fault.Is(err, fault.Conflict) || ctx.Err() != nil {
		return err
	}
	there, headErr := remote.Head(as, p.options...)
	raw, rawErr := what.RawManifest()
	if headErr != nil || rawErr != nil {
		return err
	}
	return fault.New(fault.Conflict, "%v: %s is %s, not %s", err, as.Identifier(), there.Digest, delivery.DigestOf(raw)).Hint("%s", fault.HintOf(err))
}

// Has reports whether the registry holds the image.
func (r *Registry) Has(ctx context.Context, img delivery.Image) (bool, error) {
	if err := validateImage(img); err != nil {
		return false, err
	}
	at, err := r.repoRef(ctx, img.Repository)
	if err != nil {
		return false, err
	}
	if err := at.restore(ctx, img.Digest); err != nil {
		return false, at.toFault(ctx, "look for "+img.String(), err)
	}
	_, err = remote.Head(at.repo.Digest(string(img.Digest)), at.options...)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, at.toFault(ctx, "look for "+img.String(), err)
	}
	return at.embedded == nil || at.embedded.IsComplete(img.Digest), nil
}

// isAt reports whether there is nothing to do. Trouble is left to the push.
func (p repoRef) isAt(as name.Reference, img delivery.Image) bool {
	d, err := remote.Head(as, p.options...)
	if err != nil || d.Digest.String() != string(img.Digest) {
		return false
	}
	return p.embedded == nil || p.embedded.IsComplete(img.Digest)
}

// prepare makes the embedded registry ready for the blobs: leftovers go, and a
// disk that is too small is known before the first byte. It returns the bytes
// that will be written.
func (p repoRef) prepare(act string, parts []v1.Descriptor) (need int64, err error) {
	if p.embedded == nil {
		return 0, nil
	}
	p.embedded.RemoveAbandonedUploads(p.repo.RepositoryStr(), time.Now())
	for _, part := range parts {
		p.embedded.RemoveDamagedBlob(part)
		if !p.embedded.HasBlob(part) {
			need += part.Size
		}
	}
	if lacksSpace(p.embedded.Dir(), need) {
		return need, diskFull(act, p.embedded.Dir(), "the image", need, nil)
	}
	for _, part := range parts {
		// The library takes a manifest that is there for the image being whole.
		if need > 0 && (part.MediaType.IsImage() || part.MediaType.IsIndex()) {
			p.embedded.RemoveBlob(part)
		}
	}
	return need, nil
}

func lacksSpace(dir string, need int64) bool {
	free, ok := freeSpace(dir)
	return ok && free < need
}

// fromLayout finds the image, or multi-platform image, and all its blobs.
func fromLayout(dir string, img delivery.Image) (remote.Taggable, []v1.Descriptor, error) {
	broken := func(kind fault.Kind, err error) error {
		return fault.New(kind, "read %s from the OCI layout %s", img.Digest, dir).Hint("build the image again").Cause(err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		kind := fault.Corrupt
		if errors.Is(err, fs.ErrNotExist) {
			kind = fault.NotFound
		}
		return nil, nil, broken(kind, err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		return nil, nil, broken(fault.Corrupt, err)
	}
	index, err := top.IndexManifest()
	if err != nil {
		return nil, nil, broken(fault.Corrupt, err)
	}
	for _, d := range index.Manifests {
		if d.Digest.String() != string(img.Digest) {
			continue
		}
		what, parts, err := resolve(top, d)
		if err != nil {
			return nil, nil, broken(fault.Corrupt, err)
		}
		return what, parts, nil
	}
	return nil, nil, broken(fault.NotFound, errors.New("the layout does not list it"))
}

func resolve(in v1.ImageIndex, d v1.Descriptor) (remote.Taggable, []v1.Descriptor, error) {
	if !d.MediaType.IsIndex() {
		img, err := in.Image(d.Digest)
		if err != nil {
			return nil, nil, err
		}
		m, err := img.Manifest()
		if err != nil {
			return nil, nil, err
		}
		return img, append([]v1.Descriptor{m.Config, d}, m.Layers...), nil
	}
	index, err := in.ImageIndex(d.Digest)
	if err != nil {
		return nil, nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, nil, err
	}
	all := []v1.Descriptor{d}
	for _, child := range m.Manifests {
		_, parts, err := resolve(index, child)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", child.Digest, err)
		}
		all = append(all, parts...)
	}
	return index, all, nil
}
