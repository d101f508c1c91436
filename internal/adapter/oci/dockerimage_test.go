package oci_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// archLayout writes an image with a layer that is not compressed, as Slipway's own
// builder does, and one that is.
func archLayout(t *testing.T, arch string, kind types.MediaType) port.BuiltImage {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte("packed")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(bytes.Repeat([]byte("plain "), 10_000), kind), static.NewLayer(packed.Bytes(), types.OCILayer))
	if err == nil {
		img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch})
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return port.BuiltImage{Digest: delivery.Digest(digest.String()), Layout: dir, Bases: []string{"base"}}
}

func TestToDocker(t *testing.T) {
	convert := func() port.BuiltImage {
		got, err := oci.New(oci.Config{}).ToDocker(t.Context(), archLayout(t, "amd64", types.OCIUncompressedLayer))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, second := convert(), convert()
	if first.Digest != second.Digest || len(first.Bases) != 1 {
		t.Errorf("%+v and %+v, want the same digest, and the bases", first, second)
	}
	l := ocilayout.Layout(first.Layout)
	m, raw, err := l.ReadManifest(first.Digest)
	if err != nil || m.MediaType != string(types.DockerManifestSchema2) || m.Config.MediaType != string(types.DockerConfigJSON) || len(m.Layers) != 2 {
		t.Fatalf("%s, %v", raw, err)
	}
	size := int64(len(raw)) + m.Config.Size
	for i, want := range []string{strings.Repeat("plain ", 10_000), "packed"} {
		layer := m.Layers[i]
		size += layer.Size
		blob, err := os.ReadFile(l.BlobPath(layer.Digest))
		if err != nil || layer.MediaType != string(types.DockerLayer) || delivery.DigestOf(blob) != layer.Digest || int64(len(blob)) != layer.Size {
			t.Fatalf("layer %+v of %d bytes: %v", layer, len(blob), err)
		}
		r, err := gzip.NewReader(bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != want {
			t.Errorf("layer %d has %d bytes, %v", i, len(text), err)
		}
	}
	if first.Size != size || !l.IsComplete(first.Digest) {
		t.Errorf("size %d, want %d, complete: %t", first.Size, size, l.IsComplete(first.Digest))
	}
	if listed, err := l.Contains(first.Digest); err != nil || !listed {
		t.Errorf("listed: %t, %v", listed, err)
	}
}

func TestToDocker_Errors(t *testing.T) {
	r := oci.New(oci.Config{})
	if _, err := r.ToDocker(t.Context(), archLayout(t, "arm64", types.OCIUncompressedLayer)); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "linux/amd64") {
		t.Errorf("for arm64: %v (%s)", err, fault.HintOf(err))
	}
	if _, err := r.ToDocker(t.Context(), archLayout(t, "amd64", types.OCILayerZStd)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "zstd") {
		t.Errorf("zstd: %v", err)
	}
	built := archLayout(t, "amd64", types.OCIUncompressedLayer)
	l := ocilayout.Layout(built.Layout)
	m, _, err := l.ReadManifest(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.ToDocker(ctx, built); err == nil || fault.Is(err, fault.Corrupt) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.WriteFile(l.BlobPath(m.Layers[0].Digest), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ToDocker(t.Context(), built); !fault.Is(err, fault.Corrupt) {
		t.Errorf("damaged: %v", err)
	}
	if listed, err := l.Contains(built.Digest); err != nil || !listed {
		t.Errorf("after a failure, the layout lists its image: %t, %v", listed, err)
	}
}
