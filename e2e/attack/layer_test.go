//go:build linux

package attack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// Test12: an image of half a megabyte took half a gigabyte of memory, because what its
// layer said about folders in extended headers was kept: more folders, more memory.
func Test12(t *testing.T) {
	memorytest.Run(t, 96<<20, func() {
		const folders, header = 200, 1 << 20
		layer := largeHeaders(t, folders, header-1<<10)
		t.Logf("a layer of %d bytes says %d MiB about its folders", len(layer), folders*header>>20)
		img := serveImage(t, layer)
		dir := filepath.Join(t.TempDir(), "rootfs")
		if _, err := oci.New(oci.Config{}).Unpack(t.Context(), img, dir); err != nil {
			t.Fatal(err)
		}
		if made, _ := filepath.Glob(filepath.Join(dir, "d*")); len(made) != folders {
			t.Errorf("%d folders were made, want %d", len(made), folders)
		}
	})
}

// largeHeaders is a layer of folders, with so many bytes about each of them.
func largeHeaders(t *testing.T, folders, header int) []byte {
	t.Helper()
	var layer bytes.Buffer
	z := gzip.NewWriter(&layer)
	w := tar.NewWriter(z)
	text := strings.Repeat("x", header)
	for i := range folders {
		h := &tar.Header{Name: fmt.Sprintf("d%d/", i), Mode: 0o755, Typeflag: tar.TypeDir, PAXRecords: map[string]string{"SLIPWAY.text": text}}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return layer.Bytes()
}

// serveImage serves an image of one compressed layer from a registry on this machine.
func serveImage(t *testing.T, layer []byte) delivery.Image {
	t.Helper()
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	blobs := map[delivery.Digest][]byte{}
	describe := func(mediaType string, content []byte) map[string]any {
		d := delivery.DigestOf(content)
		blobs[d] = content
		return map[string]any{"mediaType": mediaType, "digest": d, "size": len(content)}
	}
	config := []byte(`{"architecture":"amd64","os":"linux","config":{"Cmd":["serve"]},"rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": describe("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{describe("application/vnd.oci.image.layer.v1.tar+gzip", layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", manifestType)
			_, _ = w.Write(manifest)
			return
		}
		_, _ = w.Write(blobs[delivery.Digest(filepath.Base(req.URL.Path))])
	}))
	t.Cleanup(server.Close)
	return delivery.Image{Repository: strings.TrimPrefix(server.URL, "http://") + "/x", Digest: delivery.DigestOf(manifest)}
}
