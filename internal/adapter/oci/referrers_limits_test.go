package oci

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// attached serves an image with so many referrers, each with a bundle of that size, as its
// manifest says.
func attached(t *testing.T, referrers int, size int64) (*Registry, port.Subject) {
	t.Helper()
	subject := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
	bundle, err := json.Marshal(v1.Manifest{SchemaVersion: 2, Config: v1.Descriptor{Digest: v1Hash(delivery.DigestOf([]byte("{}")))}, Layers: []v1.Descriptor{{MediaType: bundleType, Size: size, Digest: v1Hash(delivery.DigestOf([]byte("b")))}}})
	if err != nil {
		t.Fatal(err)
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: make([]v1.Descriptor, referrers)}
	for i := range index.Manifests {
		index.Manifests[i] = v1.Descriptor{MediaType: types.OCIManifestSchema1, ArtifactType: bundleType, Digest: v1Hash(delivery.DigestOf(bundle)), Size: int64(len(bundle))}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		switch at := req.URL.Path; {
		case strings.Contains(at, "/referrers/"):
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_ = json.NewEncoder(w).Encode(index)
		case strings.HasSuffix(at, string(delivery.DigestOf(subject))):
			_, _ = w.Write(subject)
		case strings.Contains(at, "/manifests/"):
			_, _ = w.Write(bundle)
		case strings.Contains(at, "/blobs/"):
			t.Error("a bundle was fetched")
		}
	}))
	t.Cleanup(server.Close)
	img := delivery.Image{Repository: strings.TrimPrefix(server.URL, "http://") + "/x", Digest: delivery.DigestOf(subject)}
	return New(Config{}), port.Subject{Image: img}
}

// TestAttachments_TooMany: whoever may push can attach as much as they like; it is not all
// read, and not cut to what is read.
func TestAttachments_TooMany(t *testing.T) {
	r, s := attached(t, maxReferrers+1, 1)
	if found, err := r.Attachments(t.Context(), s); !fault.Is(err, fault.Exhausted) || !strings.Contains(fmt.Sprint(err), "(1001)") {
		t.Errorf("%d statements, error = %v, want %s", len(found), err, fault.Exhausted)
	}
}

// TestBundle_TooLarge: a bundle is not read if its manifest says that it is large.
func TestBundle_TooLarge(t *testing.T) {
	r, s := attached(t, 1, maxBundle+1)
	found, err := r.Attachments(t.Context(), s)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d statements, %v, want one", len(found), err)
	}
	if _, err := r.Bundle(t.Context(), s, found[0]); !fault.Is(err, fault.Corrupt) || !strings.Contains(fmt.Sprint(err), "too large") {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}
