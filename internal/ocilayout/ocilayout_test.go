package ocilayout_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func write(t *testing.T, body string) port.BuiltImage {
	t.Helper()
	return porttest.WriteLayout(t, t.TempDir(), port.ImageConfig{}, []porttest.LayerEntry{{Name: "file", Body: body}})
}

// putBlob adds a blob to the layout and returns its descriptor.
func putBlob(t *testing.T, l ocilayout.Layout, mediaType string, content any) ocilayout.Descriptor {
	t.Helper()
	raw, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	d := ocilayout.Descriptor{MediaType: mediaType, Digest: delivery.DigestOf(raw), Size: int64(len(raw))}
	if err := os.WriteFile(l.BlobPath(d.Digest), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLayoutImages_One(t *testing.T) {
	built := write(t, "x")
	images, err := ocilayout.Layout(built.Layout).Images(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 1 || len(images[0].Manifest.Layers) != 1 || images[0].Index != "" {
		t.Fatalf("Images = %+v, want one with one layer", images)
	}
	info, err := os.Stat(ocilayout.Layout(built.Layout).BlobPath(built.Digest))
	if err != nil {
		t.Fatal(err)
	}
	want := ocilayout.Descriptor{MediaType: ocilayout.ManifestType, Digest: built.Digest, Size: info.Size()}
	if diff := cmp.Diff(want, images[0].Descriptor); diff != "" {
		t.Errorf("descriptor (-want +got):\n%s", diff)
	}
	var raw ocilayout.Descriptor
	if err := json.Unmarshal(images[0].Raw, &raw); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, raw); diff != "" {
		t.Errorf("raw descriptor (-want +got):\n%s", diff)
	}
}

func TestLayoutImages_Index(t *testing.T) {
	built := porttest.WriteIndex(t, t.TempDir(), write(t, "x"), write(t, "y"))
	l := ocilayout.Layout(built.Layout)
	images, err := l.Images(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 2 || images[0].Descriptor.Digest == images[1].Descriptor.Digest || images[1].Index != built.Digest {
		t.Fatalf("Images = %+v, want two of the index %s", images, built.Digest)
	}
	image := images[0].Descriptor
	attestation := putBlob(t, l, ocilayout.ManifestType, map[string]any{"attestation": true})
	attestation.Platform = &ocilayout.Platform{OS: "unknown", Architecture: "unknown"}
	for _, c := range []struct {
		name      string
		manifests []ocilayout.Descriptor
		want      int
		err       string
	}{
		{"attestation", []ocilayout.Descriptor{image, attestation}, 1, ""},
		{"only an attestation", []ocilayout.Descriptor{attestation}, 0, "the index lists no image"},
		{"empty", []ocilayout.Descriptor{}, 0, "the index lists no image"},
		{"nested", []ocilayout.Descriptor{{MediaType: ocilayout.IndexType, Digest: built.Digest}}, 0, "an index within an index"},
		{"nested, wrong type", []ocilayout.Descriptor{{MediaType: ocilayout.ManifestType, Digest: built.Digest}}, 0, "neither of an image nor an index"},
		{"missing", []ocilayout.Descriptor{{MediaType: ocilayout.ManifestType, Digest: delivery.DigestOf(nil)}}, 0, "no such file"},
		{"not a digest", []ocilayout.Descriptor{{MediaType: ocilayout.ManifestType, Digest: "sha256:../../x"}}, 0, "invalid digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			index := putBlob(t, l, ocilayout.IndexType, map[string]any{"mediaType": ocilayout.IndexType, "manifests": c.manifests})
			got, err := l.Images(index.Digest)
			if len(got) != c.want || !strings.Contains(fmt.Sprint(err), c.err) || c.err == "" && err != nil {
				t.Errorf("Images = %d, %v, want %d, %q", len(got), err, c.want, c.err)
			}
		})
	}
}

func TestLayoutReadBlob(t *testing.T) {
	built := write(t, "x")
	l := ocilayout.Layout(built.Layout)
	large := make([]byte, 4<<20+1)
	if err := os.WriteFile(l.BlobPath(delivery.DigestOf(large)), large, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.BlobPath(delivery.DigestOf([]byte("right"))), []byte("wrong"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		digest delivery.Digest
		err    string
	}{
		{"manifest", built.Digest, ""},
		{"too large", delivery.DigestOf(large), "4194305 bytes"},
		{"other content", delivery.DigestOf([]byte("right")), "has other content"},
		{"missing", delivery.DigestOf([]byte("missing")), "no such file"},
		{"invalid", "sha256:../../index.json", "invalid digest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := l.ReadBlob(c.digest)
			if c.err == "" && (err != nil || delivery.DigestOf(raw) != c.digest) {
				t.Errorf("ReadBlob = %d bytes, %v", len(raw), err)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("ReadBlob = %v, want %q", err, c.err)
			}
		})
	}
}

func TestLayoutIsComplete(t *testing.T) {
	built := porttest.WriteIndexLayout(t, t.TempDir())
	l := ocilayout.Layout(built.Layout)
	if !l.IsComplete(built.Digest) {
		t.Fatal("a complete layout is not")
	}
	files, err := filepath.Glob(filepath.Join(l.BlobsDir(), "*"))
	if err != nil || len(files) != 7 { // an index; two manifests, configurations and layers
		t.Fatal(files, err)
	}
	for _, file := range append(files, filepath.Join(built.Layout, ocilayout.IndexFile)) {
		if err := os.Rename(file, file+".away"); err != nil {
			t.Fatal(err)
		}
		if l.IsComplete(built.Digest) {
			t.Errorf("complete without %s", filepath.Base(file))
		}
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
	}
	images, err := l.Images(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if l.IsComplete(images[0].Descriptor.Digest) {
		t.Error("an image that only the index lists is complete by itself")
	}
	for name, broken := range map[string]ocilayout.Layout{"no folder": "", "another folder": ocilayout.Layout(t.TempDir())} {
		if broken.IsComplete(built.Digest) {
			t.Errorf("%s: complete", name)
		}
	}
	if l.IsComplete("sha256:../../x") {
		t.Error("complete with an invalid digest")
	}
}
