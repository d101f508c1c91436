package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/slipway-cd/slipway/internal/adapter/oci/modelfiles"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// TestUnpack_Limits: an image with too many entries, names or bytes is refused.
func TestUnpack_Limits(t *testing.T) {
	if got := newUnpackBudget(); got != (unpackBudget{maxEntries, maxNameBytes, maxImageBytes}) {
		t.Errorf("an image may have %+v", got)
	}
	cases := map[string]struct {
		budget unpackBudget
		script string
		want   string
	}{
		"within":    {unpackBudget{3, 3, 2}, "0 a\n5 b\n0 c\n", ""},
		"entries":   {unpackBudget{2, 9, 9}, "0 a\n5 b\n0 c\n", "more than 2000000 entries"},
		"removals":  {unpackBudget{2, 99, 9}, "0 .wh.a\n0 .wh.b\n0 .wh.c\n", "more than 2000000 entries"},
		"all names": {unpackBudget{9, 20, 9}, "0 " + strings.Repeat("a", 11) + "\n2 b " + strings.Repeat("a", 9) + "\n", "more than 268435456 bytes in all"},
		"one name":  {newUnpackBudget(), "0 " + strings.Repeat("a/", maxEntryName/2) + "a\n", "more than 4096 bytes"},
		"one link":  {newUnpackBudget(), "2 a " + strings.Repeat("b", maxEntryName+1) + "\n", "more than 4096 bytes"},
		"content":   {unpackBudget{9, 9, 2}, "0 a\n0 b\n0 c\n", "files of the image have more than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.budget = c.budget
			err := tree.applyLayer(layerOf(c.script))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestUnpack_SparseFile: a file of which the layer holds no byte is as large as it says.
func TestUnpack_SparseFile(t *testing.T) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: maxImageBytes + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := newTree(t).applyLayer(&layer); err == nil || !strings.Contains(err.Error(), "in all") {
		t.Errorf("error = %v, want one of its size", err)
	}
}

func newTree(t *testing.T) *rootFS {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return newRootFS(root)
}

// TestUnpack_Bomb: a layer that unpacks to thousands of times its size is given up early,
// in little memory.
func TestUnpack_Bomb(t *testing.T) {
	memorytest.Run(t, 64<<20, func() {
		var packed bytes.Buffer
		z, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 1<<20)
		for range 2 * minRatioBytes >> 20 { // what follows the archive is read, too
			_, _ = z.Write(zeros)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes unpack to %d", packed.Len(), int64(2*minRatioBytes))
		err = repoRef{}.applyLayer(t.Context(), static.NewLayer(packed.Bytes(), types.OCILayerZStd), newTree(t))
		if err == nil || !strings.Contains(err.Error(), "unpack to more than 200 times as many") {
			t.Errorf("error = %v, want one of the ratio", err)
		}
	})
}

// hostileRegistry serves what its fields say, below repository x.
type hostileRegistry struct {
	manifest []byte
	blob     func(http.ResponseWriter)
	sent     int64
}

func (h *hostileRegistry) start(t *testing.T) (r *Registry, repository string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case strings.Contains(req.URL.Path, "/manifests/") && h.manifest == nil:
			h.sent = endless(w)
		case strings.Contains(req.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			_, _ = w.Write(h.manifest)
		case strings.Contains(req.URL.Path, "/blobs/"):
			h.blob(w)
		}
	}))
	t.Cleanup(server.Close)
	return New(Config{Address: "unused"}), strings.TrimPrefix(server.URL, "http://") + "/x"
}

// endless writes until the client goes, at most a gigabyte.
func endless(w http.ResponseWriter) (sent int64) {
	part := bytes.Repeat([]byte("a"), 1<<20)
	for range 1 << 10 {
		n, err := w.Write(part)
		sent += int64(n)
		if err != nil {
			break
		}
	}
	return sent
}

// TestRegistry_EndlessManifest: a manifest without end is not read beyond its limit.
func TestRegistry_EndlessManifest(t *testing.T) {
	memorytest.Run(t, 96<<20, func() {
		h := &hostileRegistry{}
		r, repository := h.start(t)
		img := delivery.Image{Repository: repository, Digest: delivery.DigestOf([]byte("any"))}
		_, err := r.Unpack(t.Context(), img, filepath.Join(t.TempDir(), "image"))
		if err == nil || !strings.Contains(err.Error(), "more than 8388608 bytes") {
			t.Errorf("error = %v, want one of the size", err)
		}
	})
}

// TestUnpack_LargeConfig: the configuration of an image is not read if its manifest says
// that it is large, and neither is an image of too many layers.
func TestUnpack_LargeConfig(t *testing.T) {
	config := v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: v1Hash(delivery.DigestOf([]byte("c"))), Size: maxImageConfig + 1}
	small := config
	small.Size = 1
	layers := make([]v1.Descriptor, maxLayers+1)
	for i := range layers {
		layers[i] = small
	}
	for want, m := range map[string]v1.Manifest{
		"more than 8388608":      {SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config},
		"layers, more than 1000": {SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: small, Layers: layers},
	} {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		h := &hostileRegistry{manifest: raw, blob: func(http.ResponseWriter) { t.Error("a blob was fetched") }}
		r, repository := h.start(t)
		_, err = r.Unpack(t.Context(), delivery.Image{Repository: repository, Digest: delivery.DigestOf(raw)}, filepath.Join(t.TempDir(), "image"))
		if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s with %q", err, fault.Corrupt, want)
		}
	}
}

// TestFetch_EndlessFile: of a model's file no more is read than its manifest promises.
func TestFetch_EndlessFile(t *testing.T) {
	memorytest.Run(t, 96<<20, func() {
		const promised = 3 << 20
		var h *hostileRegistry
		h = &hostileRegistry{manifest: modelManifestOf(t, promised), blob: func(w http.ResponseWriter) { h.sent = endless(w) }}
		r, repository := h.start(t)
		dir := filepath.Join(t.TempDir(), "model")
		err := fetchFrom(t, r, repository, delivery.DigestOf(h.manifest), dir)
		if !fault.Is(err, fault.Corrupt) || !strings.Contains(fmt.Sprint(err), "more than 3145728 bytes") {
			t.Errorf("error = %v, want %s with its size", err, fault.Corrupt)
		}
		if left, _ := filepath.Glob(dir + "*"); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// TestFetch_TooLarge: sizes that no machine has are refused before anything is read, also
// if their sum is negative.
func TestFetch_TooLarge(t *testing.T) {
	h := &hostileRegistry{manifest: modelManifestOf(t, 1<<62, 1<<62, 1<<62), blob: func(http.ResponseWriter) { t.Error("a file was fetched") }}
	r, repository := h.start(t)
	err := fetchFrom(t, r, repository, delivery.DigestOf(h.manifest), filepath.Join(t.TempDir(), "model"))
	if !fault.Is(err, fault.Corrupt) || !strings.Contains(fmt.Sprint(err), "its files have more than") {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}

// fetchFrom fetches a model as Fetch does, from any registry.
func fetchFrom(t *testing.T, r *Registry, repository string, d delivery.Digest, dir string) error {
	t.Helper()
	at, err := r.repoRef(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	files, err := at.modelFiles(t.Context(), "fetch", d)
	if err != nil {
		t.Fatal(err)
	}
	return at.download(t.Context(), "fetch", files, dir)
}

func modelManifestOf(t *testing.T, sizes ...int64) []byte {
	t.Helper()
	m := v1.Manifest{SchemaVersion: 2, MediaType: modelfiles.ManifestType, Config: v1.Descriptor{MediaType: "application/vnd.oci.empty.v1+json", Size: 2, Digest: v1Hash(delivery.DigestOf([]byte("{}")))}}
	for i, size := range sizes {
		m.Layers = append(m.Layers, v1.Descriptor{
			MediaType: fileType, Size: size, Digest: v1Hash(delivery.DigestOf([]byte{byte(i)})),
			Annotations: map[string]string{modelfiles.TitleKey: fmt.Sprintf("file-%d", i)},
		})
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(raw, []byte(`"mediaType"`), []byte(`"artifactType":"`+modelfiles.ArtifactType+`","mediaType"`), 1)
}

// TestLimitedResponses: blobs are not limited, wherever they come from.
func TestLimitedResponses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v2/x/blobs/moved" {
			http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write(make([]byte, maxResponse+1))
	}))
	defer server.Close()
	client := http.Client{Transport: limitedResponses{http.DefaultTransport}}
	for path, limited := range map[string]bool{
		"/v2/x/blobs/here": false, "/v2/x/blobs/moved": false, "/v2/x/manifests/a": true, "/token": true, "/v2/x/referrers/a": true,
	} {
		resp, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if limited != (err != nil) || n < maxResponse {
			t.Errorf("%s: %d bytes, error = %v, want an error: %v", path, n, err, limited)
		}
	}
}
