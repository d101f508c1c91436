package oci_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// FuzzReferrers: a registry that lists and hands out whatever it likes as statements about
// an image ends in an error, or in a list of valid digests and content that has them.
func FuzzReferrers(f *testing.F) {
	const subject = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`
	digest := delivery.DigestOf([]byte(subject))
	bundle := `{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}]}`
	listed := func(d string) string {
		return `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":9,"digest":"` + d + `"}]}`
	}
	f.Add(listed(string(delivery.DigestOf([]byte(bundle)))), bundle, "{}")
	f.Add(listed("sha256:../../x"), bundle, "{}")
	f.Add(listed("sha512:"+strings.Repeat("a", 128)), `{}`, "")
	f.Add(`{"manifests":null}`, `{"layers":[{}]}`, "x")
	f.Add(`<html>`, ``, ``)
	f.Fuzz(func(t *testing.T, index, manifest, content string) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch at := r.URL.Path; {
			case strings.HasSuffix(at, "/manifests/"+string(digest)):
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = w.Write([]byte(subject))
			case strings.Contains(at, "/referrers/"):
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				_, _ = w.Write([]byte(index))
			case strings.Contains(at, "/manifests/"):
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = w.Write([]byte(manifest))
			case strings.Contains(at, "/blobs/"):
				_, _ = w.Write([]byte(content))
			}
		}))
		defer srv.Close()
		r := oci.New(oci.Config{})
		s := port.Subject{Image: delivery.Image{Repository: strings.TrimPrefix(srv.URL, "http://") + "/api", Digest: digest}}
		found, err := r.Attachments(t.Context(), s)
		if err != nil {
			return
		}
		for _, a := range found {
			if !a.Digest.Valid() {
				t.Errorf("digest %q is listed", a.Digest)
			}
			if raw, err := r.Bundle(t.Context(), s, a); err == nil && string(raw) != content {
				t.Errorf("bundle = %q, want %q", raw, content)
			}
		}
	})
}
