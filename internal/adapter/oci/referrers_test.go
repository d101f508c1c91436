package oci_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// pushed are two images that the registry holds.
func pushed(t *testing.T, r *oci.Registry, repository string) [2]port.Subject {
	t.Helper()
	var out [2]port.Subject
	for i := range out {
		built := porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "a", Body: strings.Repeat("a", i)}})
		out[i].Image = delivery.Image{Repository: repository, Digest: built.Digest}
		if _, err := r.Push(t.Context(), built.Layout, out[i].Image, "v"+string(rune('1'+i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestAttestations_EmbeddedRegistry(t *testing.T) {
	porttest.TestAttestationStore(t, func(t *testing.T) (port.AttestationStore, [2]port.Subject) {
		r := registryIn(openEmbedded(t))
		subjects := pushed(t, r, "mlops/retail-api")
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "model.json"), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := r.Store(t.Context(), "prices", dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		subjects[1] = port.Subject{Model: delivery.ModelRef{Group: "prices", Version: 1, Digest: d}}
		return r, subjects
	})
}

// TestAttestations_RemoteRegistry uses a registry with the referrers API.
func TestAttestations_RemoteRegistry(t *testing.T) {
	porttest.TestAttestationStore(t, func(t *testing.T) (port.AttestationStore, [2]port.Subject) {
		o := startOrdinary(t)
		login(t, o.host, "s3cret")
		r := oci.New(oci.Config{RetryDelay: time.Millisecond})
		return r, pushed(t, r, o.host+"/mlops/retail-api")
	})
}

// TestAttestations_ReferrersTag uses a registry without the referrers API, as many
// are: the list is then a tag, to which each writer in turn adds its entry.
func TestAttestations_ReferrersTag(t *testing.T) {
	o := startOrdinary(t)
	o.trouble = func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/referrers/") {
			return http.StatusNotFound
		}
		return 0
	}
	login(t, o.host, "s3cret")
	r := oci.New(oci.Config{RetryDelay: time.Millisecond})
	s := pushed(t, r, o.host+"/mlops/retail-api")[0]
	for _, body := range []string{"one", "two", "one"} {
		if _, err := r.Attach(t.Context(), s, "x", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := r.Attachments(t.Context(), s)
	if err != nil || len(all) != 2 {
		t.Fatalf("Attachments = %v, %v, want 2", all, err)
	}
	for _, a := range all {
		if got, err := r.Bundle(t.Context(), s, a); err != nil || len(got) != 3 {
			t.Errorf("Bundle = %q, %v, want 3 bytes", got, err)
		}
	}
}

// TestAttach_AddsNoTag: attachments add no tags to those of the user, and a
// deleted one is not listed any more.
func TestAttach_AddsNoTag(t *testing.T) {
	e := openEmbedded(t)
	r := registryIn(e)
	s := pushed(t, r, "api")[0]
	a, err := r.Attach(t.Context(), s, "x", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	addr := serveOpenly(t, e)
	repo, err := name.NewRepository(addr + "/api")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(repo)
	if err != nil || !slices.Equal(tags, []string{"v1", "v2"}) {
		t.Errorf("tags = %q, %v, want v1 and v2 only", tags, err)
	}
	if err := remote.Delete(repo.Digest(string(a.Digest))); err != nil {
		t.Fatal(err)
	}
	if all, err := r.Attachments(t.Context(), s); err != nil || len(all) != 0 {
		t.Errorf("Attachments after the deletion = %v, %v, want none", all, err)
	}
}

// TestAttachments_SwappedSubject puts another manifest under the image's digest.
func TestAttachments_SwappedSubject(t *testing.T) {
	e, dir := embeddedIn(t)
	r := registryIn(e)
	s := pushed(t, r, "api")
	blob := func(d delivery.Digest) string {
		return filepath.Join(dir, "docker", "registry", "v2", "blobs", "sha256", d.Hex()[:2], d.Hex(), "data")
	}
	other, err := os.ReadFile(blob(s[1].Image.Digest))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob(s[0].Image.Digest), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Attachments(t.Context(), s[0]); !fault.Is(err, fault.Corrupt) {
		t.Errorf("Attachments of a swapped subject = %v, want an error of kind %s", err, fault.Corrupt)
	}
}

func embeddedIn(t *testing.T) (*embedded.Registry, string) {
	t.Helper()
	dir := t.TempDir()
	e, err := embedded.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, dir
}

// TestAttachments_RegistryErrors: a list that cannot be read is not an empty one.
func TestAttachments_RegistryErrors(t *testing.T) {
	for status, want := range map[int]fault.Kind{500: fault.Unavailable, 503: fault.Unavailable, 403: fault.Denied} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			o := startOrdinary(t)
			login(t, o.host, "s3cret")
			r := oci.New(oci.Config{RetryDelay: time.Millisecond})
			s := pushed(t, r, o.host+"/api")[0]
			o.trouble = func(r *http.Request) int {
				if strings.Contains(r.URL.Path, "/referrers/") {
					return status
				}
				return 0
			}
			if all, err := r.Attachments(t.Context(), s); !fault.Is(err, want) {
				t.Errorf("Attachments = %v, %v, want an error of kind %s", all, err, want)
			}
		})
	}
}

// TestAttachments_CorruptEntry: an entry that was tampered with is an error.
func TestAttachments_CorruptEntry(t *testing.T) {
	e, dir := embeddedIn(t)
	r := registryIn(e)
	s := pushed(t, r, "api")[0]
	a, err := r.Attach(t.Context(), s, "x", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	entry := filepath.Join(dir, "docker", "registry", "v2", "repositories", "api", "_referrers", "sha256", s.Image.Digest.Hex(), a.Digest.Hex())
	raw, err := os.ReadFile(entry)
	var d map[string]any
	if err != nil || json.Unmarshal(raw, &d) != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(entry, []byte(strings.Replace(string(raw), a.Digest.Hex()[:8], "00000000", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := r.Attachments(t.Context(), s); err == nil {
		t.Errorf("Attachments with a corrupt entry = %v, want an error", all)
	}
}
