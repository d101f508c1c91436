package ocilayout_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-cd/slipway/internal/ocilayout"
)

// What is written is an image to those who read what `docker save` writes, and a complete
// layout to the others.
func TestLayoutWriteArchive(t *testing.T) {
	img := write(t, "content")
	var first, again bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &again} {
		if err := ocilayout.Layout(img.Layout).WriteArchive(b, img.Digest, "shop/api:r-1"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("the same image gives other bytes")
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("shop/api:r-1")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatalf("read it as `docker load` does: %v", err)
	}
	if layers, err := loaded.Layers(); err != nil || len(layers) != 1 {
		t.Errorf("%d layers, %v, want one", len(layers), err)
	}
	if l := unpack(t, &first); !l.IsComplete(img.Digest) {
		t.Error("it is not a complete layout of the image")
	}
}

// A blob that is missing is an error, not half an image.
func TestLayoutWriteArchive_MissingBlob(t *testing.T) {
	img := write(t, "content")
	l := ocilayout.Layout(img.Layout)
	m, _, err := l.ReadManifest(img.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.BlobPath(m.Layers[0].Digest)); err != nil {
		t.Fatal(err)
	}
	if err := l.WriteArchive(io.Discard, img.Digest, "api:1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v, want that a file does not exist", err)
	}
}

func unpack(t *testing.T, archive io.Reader) ocilayout.Layout {
	t.Helper()
	dir := t.TempDir()
	in := tar.NewReader(archive)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return ocilayout.Layout(dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
