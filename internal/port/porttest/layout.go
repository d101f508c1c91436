package porttest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// LayerEntry is one entry of an image's layer.
type LayerEntry struct {
	Name string
	Type byte // default tar.TypeReg
	Body string
	Link string
	Mode int64 // default 0644, folders 0755
}

// descriptor is OCI's, as far as the suites need it.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// WriteLayout writes an OCI layout with one image of the given layers into dir.
// It knows no library, so that it can't share a mistake with the adapters.
func WriteLayout(t testing.TB, dir string, config port.ImageConfig, layers ...[]LayerEntry) port.BuiltImage {
	t.Helper()
	raw := make([][]byte, 0, len(layers))
	for _, l := range layers {
		raw = append(raw, layerOf(t, l))
	}
	return WriteRawLayout(t, dir, config, raw...)
}

// WriteRawLayout is WriteLayout for layers as uncompressed bytes.
func WriteRawLayout(t testing.TB, dir string, config port.ImageConfig, layers ...[]byte) port.BuiltImage {
	t.Helper()
	built := port.BuiltImage{Layout: dir}
	put := func(mediaType string, b []byte) descriptor {
		d := delivery.DigestOf(b)
		writeFile(t, filepath.Join(dir, "blobs", "sha256", d.Hex()), b)
		built.Size += int64(len(b))
		return descriptor{mediaType, string(d), int64(len(b))}
	}
	var diffs []string
	var descriptors []descriptor
	for _, l := range layers {
		diffs = append(diffs, string(delivery.DigestOf(l)))
		descriptors = append(descriptors, put("application/vnd.oci.image.layer.v1.tar+gzip", compress(t, l)))
	}
	inner := map[string]any{"Entrypoint": config.Entrypoint, "Cmd": config.Cmd, "Env": config.Env, "WorkingDir": config.WorkingDir, "User": config.User}
	if len(config.Ports) > 0 {
		exposed := map[string]any{"9999/udp": map[string]any{}} // never one of Ports
		for _, n := range config.Ports {
			exposed[strconv.Itoa(n)+"/tcp"] = map[string]any{}
		}
		inner["ExposedPorts"] = exposed
	}
	file := map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": inner,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest := put(manifestType, marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": put("application/vnd.oci.image.config.v1+json", marshal(t, file)),
		"layers": descriptors,
	}))
	writeFile(t, filepath.Join(dir, "index.json"), marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []descriptor{manifest},
	}))
	writeFile(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	built.Digest = delivery.Digest(manifest.Digest)
	return built
}

// WriteIndex writes an OCI layout with an index of the images, one for each
// platform, and of an attestation as BuildKit puts it beside them.
func WriteIndex(t testing.TB, dir string, images ...port.BuiltImage) port.BuiltImage {
	t.Helper()
	const indexType = "application/vnd.oci.image.index.v1+json"
	type platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	type entry struct {
		descriptor
		Platform platform `json:"platform"`
	}
	put := func(b []byte) descriptor {
		d := delivery.DigestOf(b)
		writeFile(t, filepath.Join(dir, "blobs", "sha256", d.Hex()), b)
		return descriptor{"application/vnd.oci.image.manifest.v1+json", string(d), int64(len(b))}
	}
	note := put([]byte(`{"schemaVersion":2,"config":{},"layers":[]}`))
	all := []entry{{note, platform{"unknown", "unknown"}}}
	for i, img := range images {
		copyBlobs(t, img.Layout, dir)
		info, err := os.Stat(filepath.Join(dir, "blobs", "sha256", img.Digest.Hex()))
		if err != nil {
			t.Fatal(err)
		}
		d := descriptor{"application/vnd.oci.image.manifest.v1+json", string(img.Digest), info.Size()}
		all = append(all, entry{d, platform{"linux", []string{"amd64", "arm64"}[i%2]}})
	}
	index := put(marshal(t, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": all}))
	index.MediaType = indexType
	writeFile(t, filepath.Join(dir, "index.json"), marshal(t, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []descriptor{index}}))
	writeFile(t, filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return port.BuiltImage{Layout: dir, Digest: delivery.Digest(index.Digest)}
}

func copyBlobs(t testing.TB, from, to string) {
	t.Helper()
	names, err := os.ReadDir(filepath.Join(from, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		raw, err := os.ReadFile(filepath.Join(from, "blobs", "sha256", n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(to, "blobs", "sha256", n.Name()), raw)
	}
}

func layerOf(t testing.TB, entries []LayerEntry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Typeflag: e.Type, Linkname: e.Link, Mode: e.Mode, Size: int64(len(e.Body)), ModTime: time.Unix(1e9, 0)}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func compress(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeTree writes files by name into a new folder.
func writeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(body))
	}
	return dir
}
