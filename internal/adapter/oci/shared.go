package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The embedded registry is a folder of this machine. Where machines share a state, what
// is stored in it is saved as blobs, too, under its own digests: the parts of a manifest
// first, so that whoever finds the manifest finds all of it.

// maxManifest is the largest manifest that is read, in bytes.
const maxManifest = 4 << 20

// content is what a manifest refers to.
type content struct {
	MediaType types.MediaType `json:"mediaType"`
	Config    *v1.Descriptor  `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
	Manifests []v1.Descriptor `json:"manifests"`
}

func (c content) blobs() []v1.Descriptor {
	if c.Config == nil {
		return c.Layers
	}
	return append([]v1.Descriptor{*c.Config}, c.Layers...)
}

// isShared reports whether other machines need what is stored here.
func (p repoRef) isShared() bool { return p.embedded != nil && p.blobs != nil }

var _ port.ArtifactSharer = (*Registry)(nil)

// Share implements port.ArtifactSharer.
func (r *Registry) Share(ctx context.Context, m delivery.ModelRef) error {
	repository, err := modelRepository(m.Group)
	if err != nil {
		return err
	}
	at, err := r.repoRef(ctx, repository)
	if err != nil || !at.isShared() {
		return err
	}
	act := "share model " + m.String()
	if !at.embedded.IsComplete(m.Digest) {
		return fault.New(fault.NotFound, "%s: it is not in this machine's registry", act)
	}
	return at.toFault(ctx, act, at.save(ctx, m.Digest))
}

// save makes what the manifest stands for available to other machines.
func (p repoRef) save(ctx context.Context, d delivery.Digest) error {
	if !p.isShared() {
		return nil
	}
	raw, err := os.ReadFile(p.embedded.BlobFile(d))
	if err != nil {
		return fmt.Errorf("save %s: %w", d.Short(), err)
	}
	var c content
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("save %s: %w", d.Short(), err)
	}
	for _, child := range c.Manifests {
		if err := p.save(ctx, delivery.Digest(child.Digest.String())); err != nil {
			return err
		}
	}
	for _, b := range append(c.blobs(), v1.Descriptor{Digest: v1Hash(d), Size: int64(len(raw))}) {
		file := p.embedded.BlobFile(delivery.Digest(b.Digest.String()))
		open := func() (io.ReadCloser, error) { return os.Open(file) }
		if err := p.blobs.Put(ctx, delivery.Digest(b.Digest.String()), b.Size, open); err != nil {
			return fmt.Errorf("save a part of %s: %w", d.Short(), err)
		}
	}
	return nil
}

// restore brings what another machine saved into the embedded registry, unless it is
// there. What was never saved is left to the caller, who looks for it.
func (p repoRef) restore(ctx context.Context, d delivery.Digest) error {
	if !p.isShared() {
		return nil
	}
	_, err := remote.Head(p.repo.Digest(string(d)), p.options...)
	if err == nil && p.embedded.IsComplete(d) {
		return nil
	}
	raw, err := p.readShared(ctx, d)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	var c content
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", d.Short(), err)
	}
	for _, child := range c.Manifests {
		if err := p.restore(ctx, delivery.Digest(child.Digest.String())); err != nil {
			return err
		}
	}
	for _, b := range c.blobs() {
		p.embedded.RemoveDamagedBlob(b)
		if err := remote.WriteLayer(p.repo, sharedLayer{ctx, p, b}, p.options...); err != nil {
			return fmt.Errorf("restore a part of %s: %w", d.Short(), err)
		}
	}
	if err := remote.Put(p.repo.Digest(string(d)), typedManifest{raw, c.MediaType}, p.options...); err != nil {
		return fmt.Errorf("restore %s: %w", d.Short(), err)
	}
	return nil
}

// referrersOf names the set of what refers to a manifest.
func (p repoRef) referrersOf(subject delivery.Digest) string {
	return fmt.Sprintf("referrers of %s@%s", p.repo.RepositoryStr(), subject)
}

// saveReferrer makes a manifest that refers to another one available to other machines.
func (p repoRef) saveReferrer(ctx context.Context, subject, d delivery.Digest) error {
	if !p.isShared() {
		return nil
	}
	if err := p.save(ctx, d); err != nil {
		return err
	}
	return p.blobs.AddTo(ctx, p.referrersOf(subject), d)
}

// restoreReferrers brings what other machines attached to the manifest here.
func (p repoRef) restoreReferrers(ctx context.Context, subject delivery.Digest) error {
	if !p.isShared() {
		return nil
	}
	members, err := p.blobs.Members(ctx, p.referrersOf(subject))
	if err != nil {
		return err
	}
	if len(members) > maxReferrers {
		return tooManyReferrers("read what is attached to "+subject.Short(), len(members))
	}
	for _, d := range members {
		if err := p.restore(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (p repoRef) readShared(ctx context.Context, d delivery.Digest) ([]byte, error) {
	r, size, err := p.blobs.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxManifest {
		return nil, fault.New(fault.Corrupt, "blob %s is not a manifest: it has %d bytes", d.Short(), size)
	}
	return io.ReadAll(io.LimitReader(r, maxManifest))
}

// sharedLayer is a part of a manifest that is read from the shared state. The registry
// checks its digest.
type sharedLayer struct {
	ctx  context.Context //nolint:containedctx // of the call that makes it; the interface has none
	from repoRef
	v1.Descriptor
}

func (l sharedLayer) Digest() (v1.Hash, error)             { return l.Descriptor.Digest, nil }
func (l sharedLayer) DiffID() (v1.Hash, error)             { return l.Descriptor.Digest, nil }
func (l sharedLayer) Size() (int64, error)                 { return l.Descriptor.Size, nil }
func (l sharedLayer) MediaType() (types.MediaType, error)  { return l.Descriptor.MediaType, nil }
func (l sharedLayer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l sharedLayer) Compressed() (io.ReadCloser, error) {
	r, _, err := l.from.blobs.Open(l.ctx, delivery.Digest(l.Descriptor.Digest.String()))
	return r, err
}

// typedManifest is a manifest of any kind, byte for byte.
type typedManifest struct {
	raw  []byte
	kind types.MediaType
}

func (m typedManifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m typedManifest) MediaType() (types.MediaType, error) { return m.kind, nil }
