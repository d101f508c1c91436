package oci_test

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestAttachRevision_OnePerCommit: other tools find the commits of an image among
// its referrers.
func TestAttachRevision_OnePerCommit(t *testing.T) {
	e := openEmbedded(t)
	r := registryIn(e)
	built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	img, err := r.Push(t.Context(), built.Layout, delivery.Image{Repository: "mlops/api", Digest: built.Digest}, "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	one := delivery.Commit{SHA: strings.Repeat("a", 40), Source: "https://git.example.com/retail.git"}
	two := delivery.Commit{SHA: strings.Repeat("b", 40), Tree: strings.Repeat("c", 40), Dirty: true}
	for _, c := range []delivery.Commit{one, two, one, two} {
		if err := r.AttachRevision(t.Context(), img, c); err != nil {
			t.Fatal(err)
		}
	}
	at, err := name.NewDigest(embedded.Host + "/" + img.String())
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(at, remote.WithTransport(e.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	listed, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range listed.Manifests {
		if d.ArtifactType != oci.RevisionType {
			t.Errorf("referrer of type %q, want %q", d.ArtifactType, oci.RevisionType)
		}
		got[d.Annotations["org.opencontainers.image.revision"]] = d.Annotations["org.opencontainers.image.source"] + d.Annotations["dev.slipway.tree"]
	}
	if len(listed.Manifests) != 2 || got[one.SHA] != one.Source || got[two.SHA] != two.Tree {
		t.Errorf("%d referrers: %v, want one for each commit", len(listed.Manifests), got)
	}
	if left, err := r.Attachments(t.Context(), port.Subject{Image: img}); err != nil || len(left) != 0 {
		t.Errorf("attachments = %v, error = %v, want none", left, err)
	}
	img.Digest = delivery.DigestOf([]byte("missing"))
	if err := r.AttachRevision(t.Context(), img, one); !fault.Is(err, fault.NotFound) {
		t.Errorf("revision of a missing image: error = %v, want %s", err, fault.NotFound)
	}
}
