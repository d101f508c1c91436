package oci

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// What the commit of an image looks like in a registry.
const (
	RevisionType = "application/vnd.slipway.revision.v1+json"
	revisionKey  = "org.opencontainers.image.revision"
	sourceKey    = "org.opencontainers.image.source"
	treeKey      = "dev.slipway.tree" // of a dirty checkout, which the commit does not identify

	// maxRevisions is how many commits of one image are recorded: enough to find
	// one, and far from maxReferrers, which signatures need as well.
	maxRevisions = 100
)

// AttachRevision keeps the commit as a referrer of the image. Its bytes depend on
// image and commit alone.
func (r *Registry) AttachRevision(ctx context.Context, img delivery.Image, commit delivery.Commit) error {
	s := port.Subject{Image: img}
	if commit.SHA == "" {
		return fault.New(fault.Invalid, "attach the revision to %s: no commit", s)
	}
	at, act, err := r.subjectRepo(ctx, s, "attach the revision to ")
	if err != nil {
		return err
	}
	subject, err := at.subject(ctx, act, s)
	if err != nil {
		return err
	}
	m, err := revisionManifest(subject, commit)
	if err != nil {
		return fmt.Errorf("%s: %w", act, err)
	}
	listed, err := at.referrers(ctx, act, s)
	if err != nil {
		return err
	}
	revisions := 0
	for _, d := range listed {
		if d.Digest == v1Hash(m.digest()) {
			return nil
		}
		if d.ArtifactType == RevisionType {
			revisions++
		}
	}
	if revisions >= maxRevisions {
		return nil
	}
	return at.attach(ctx, act, s, emptyLayer(), m)
}

func revisionManifest(subject v1.Descriptor, commit delivery.Commit) (rawManifest, error) {
	annotations := map[string]string{revisionKey: commit.SHA}
	if commit.Source != "" {
		annotations[sourceKey] = commit.Source
	}
	if commit.Dirty {
		annotations[treeKey] = commit.Tree
	}
	return json.Marshal(manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: RevisionType,
		Config: emptyLayer().Descriptor, Layers: []v1.Descriptor{emptyLayer().Descriptor}, Subject: &subject, Annotations: annotations,
	})
}
