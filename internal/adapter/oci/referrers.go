package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// What a bundle looks like in a registry: as cosign 3 writes it, so that it finds
// ours and we find its own.
const (
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	bundleFamily  = "application/vnd.dev.sigstore.bundle"
	contentKey    = "dev.sigstore.bundle.content"
	predicateKey  = "dev.sigstore.bundle.predicateType"
	maxBundle     = 64 << 20
	maxReferrers  = 1000
	attachedTries = 3
)

// Attach keeps a bundle as a referrer of its subject. A registry without the
// referrers API gets the tag that the specification names for it.
func (r *Registry) Attach(ctx context.Context, s port.Subject, predicateType string, bundle []byte) (port.Attachment, error) {
	at, act, err := r.subjectRepo(ctx, s, "attach a statement to ")
	if err != nil {
		return port.Attachment{}, err
	}
	subject, err := at.subject(ctx, act, s)
	if err != nil {
		return port.Attachment{}, err
	}
	layer := modelFile{content: string(bundle), Descriptor: v1.Descriptor{
		MediaType: bundleType, Size: int64(len(bundle)), Digest: v1Hash(delivery.DigestOf(bundle))}}
	m, err := json.Marshal(manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: bundleType,
		Config: emptyLayer().Descriptor, Layers: []v1.Descriptor{layer.Descriptor}, Subject: &subject,
		Annotations: map[string]string{contentKey: "dsse-envelope", predicateKey: predicateType},
	})
	if err != nil {
		return port.Attachment{}, fmt.Errorf("%s: %w", act, err)
	}
	if _, err := at.prepare(act, []v1.Descriptor{layer.Descriptor}); err != nil {
		return port.Attachment{}, err
	}
	out := port.Attachment{Digest: delivery.DigestOf(m), Type: predicateType}
	return out, at.attach(ctx, act, s, layer, m)
}

// attach uploads, and looks whether it is listed: where the list is a tag, two
// writers at once may lose an entry.
func (p repoRef) attach(ctx context.Context, act string, s port.Subject, layer modelFile, m rawManifest) error {
	for range attachedTries {
		if err := p.upload([]modelFile{layer}, m); err != nil {
			return p.toFault(ctx, act, err)
		}
		listed, err := p.referrers(ctx, act, s)
		if err != nil {
			return err
		}
		for _, d := range listed {
			if d.Digest == v1Hash(m.digest()) {
				return p.toFault(ctx, act, p.saveReferrer(ctx, s.Digest(), m.digest()))
			}
		}
	}
	return fault.New(fault.Unavailable, "%s: %s accepted it but does not list it", act, p.displayName).Hint("run it again")
}

// Attachments lists the bundles of a subject that is there and whole.
func (r *Registry) Attachments(ctx context.Context, s port.Subject) ([]port.Attachment, error) {
	at, act, err := r.subjectRepo(ctx, s, "list the statements about ")
	if err != nil {
		return nil, err
	}
	if _, err := at.subject(ctx, act, s); err != nil {
		return nil, err
	}
	listed, err := at.referrers(ctx, act, s)
	if err != nil {
		return nil, err
	}
	out := []port.Attachment{}
	for _, d := range listed {
		if strings.HasPrefix(d.ArtifactType, bundleFamily) && delivery.Digest(d.Digest.String()).Valid() {
			out = append(out, port.Attachment{Digest: delivery.Digest(d.Digest.String()), Type: d.Annotations[predicateKey]})
		}
	}
	return out, nil
}

// Bundle reads one bundle.
func (r *Registry) Bundle(ctx context.Context, s port.Subject, a port.Attachment) ([]byte, error) {
	at, act, err := r.subjectRepo(ctx, s, "read a statement about ")
	if err != nil {
		return nil, err
	}
	got, err := remote.Get(at.repo.Digest(string(a.Digest)), at.options...)
	if err != nil {
		return nil, at.toFault(ctx, act, err)
	}
	var m manifest
	err = json.Unmarshal(got.Manifest, &m)
	switch {
	case err != nil || delivery.DigestOf(got.Manifest) != a.Digest:
		err = errors.New("the manifest is corrupt")
	case len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), bundleFamily):
		err = errors.New("the manifest has no bundle")
	case m.Layers[0].Size > maxBundle:
		err = fmt.Errorf("the bundle is too large (%s)", formatBytes(m.Layers[0].Size))
	default:
		return at.bundle(ctx, act, m.Layers[0])
	}
	return nil, fault.New(fault.Corrupt, "%s", act).Cause(err)
}

func (p repoRef) bundle(ctx context.Context, act string, d v1.Descriptor) ([]byte, error) {
	layer, err := remote.Layer(p.repo.Digest(d.Digest.String()), p.options...)
	if err != nil {
		return nil, p.toFault(ctx, act, err)
	}
	blob, err := layer.Compressed()
	if err != nil {
		return nil, p.toFault(ctx, act, err)
	}
	defer blob.Close()
	raw, err := io.ReadAll(io.LimitReader(blob, maxBundle+1))
	if err != nil {
		return nil, p.toFault(ctx, act, err)
	}
	if v1Hash(delivery.DigestOf(raw)) != d.Digest {
		return nil, fault.New(fault.Corrupt, "%s: the content differs from what was attached", act)
	}
	return raw, nil
}

// subjectRepo is where a subject's statements are: in its own repository.
func (r *Registry) subjectRepo(ctx context.Context, s port.Subject, verb string) (repoRef, string, error) {
	repository := s.Image.Repository
	if s.Model.Digest != "" {
		var err error
		if repository, err = modelRepository(s.Model.Group); err != nil {
			return repoRef{}, "", err
		}
	}
	if !s.Digest().Valid() {
		return repoRef{}, "", fault.New(fault.Invalid, "%s%s: invalid digest %q", verb, s, s.Digest())
	}
	at, err := r.repoRef(ctx, repository)
	return at, verb + s.String(), err
}

// subject describes what statements are about, from its own bytes.
func (p repoRef) subject(ctx context.Context, act string, s port.Subject) (v1.Descriptor, error) {
	if err := p.restore(ctx, s.Digest()); err != nil {
		return v1.Descriptor{}, p.toFault(ctx, act, err)
	}
	got, err := remote.Get(p.repo.Digest(string(s.Digest())), p.options...)
	if isNotFound(err) {
		return v1.Descriptor{}, fault.New(fault.NotFound, "%s: not found in %s", act, p.displayName).
			Hint("run the delivery again to push it").Cause(err)
	}
	if err != nil && strings.Contains(err.Error(), "does not match requested digest") {
		return v1.Descriptor{}, p.changedSubject(act, s)
	}
	if err != nil {
		return v1.Descriptor{}, p.toFault(ctx, act, err)
	}
	if delivery.DigestOf(got.Manifest) != s.Digest() {
		return v1.Descriptor{}, p.changedSubject(act, s)
	}
	return v1.Descriptor{MediaType: got.MediaType, Digest: v1Hash(s.Digest()), Size: int64(len(got.Manifest))}, nil
}

func (p repoRef) changedSubject(act string, s port.Subject) error {
	return fault.New(fault.Corrupt, "%s: the content in %s differs from digest %s", act, p.displayName, s.Digest().Short()).
		Hint("it was changed after the push: find out who changed it, and deliver it again")
}

// referrers lists all that refers to the subject.
func (p repoRef) referrers(ctx context.Context, act string, s port.Subject) ([]v1.Descriptor, error) {
	if err := p.restoreReferrers(ctx, s.Digest()); err != nil {
		return nil, p.toFault(ctx, act, err)
	}
	index, err := remote.Referrers(p.repo.Digest(string(s.Digest())), p.options...)
	if err != nil {
		return nil, p.toFault(ctx, act, err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, fault.New(fault.Corrupt, "%s: the list of referrers is corrupt", act).Cause(err)
	}
	if len(m.Manifests) > maxReferrers {
		return nil, tooManyReferrers(act, len(m.Manifests))
	}
	return m.Manifests, nil
}

// tooManyReferrers is an error, and no shorter list: the signature that counts may be one
// of those that would be left out.
func tooManyReferrers(act string, n int) error {
	return fault.New(fault.Exhausted, "%s: too many referrers (%d)", act, n).
		Hint("remove those that are no longer needed: `cosign clean`")
}
