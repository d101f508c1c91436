package porttest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

const indexType = "application/vnd.oci.image.index.v1+json"

// WriteIndexLayout writes an OCI layout with one image for two platforms, this
// machine's and another one, into dir; each has a file "arch" that names it.
func WriteIndexLayout(t testing.TB, dir string) port.BuiltImage {
	t.Helper()
	built := port.BuiltImage{Layout: dir}
	var children []any
	for _, arch := range []string{runtime.GOARCH, "s390x"} {
		part := WriteLayout(t, dir, port.ImageConfig{}, []LayerEntry{{Name: "arch", Body: arch}})
		raw, err := os.ReadFile(blobFile(dir, part.Digest))
		if err != nil {
			t.Fatal(err)
		}
		built.Size += part.Size
		children = append(children, map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": part.Digest, "size": len(raw),
			"platform": map[string]string{"os": "linux", "architecture": arch},
		})
	}
	index := marshal(t, map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": children})
	built.Digest = delivery.DigestOf(index)
	built.Size += int64(len(index))
	writeFile(t, blobFile(dir, built.Digest), index)
	writeFile(t, filepath.Join(dir, "index.json"), marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": indexType,
		"manifests": []descriptor{{indexType, string(built.Digest), int64(len(index))}},
	}))
	return built
}

func blobFile(dir string, d delivery.Digest) string {
	return filepath.Join(dir, "blobs", "sha256", d.Hex())
}

// testPlatforms pushes an image for several platforms: the registry has to hold
// all of it, and a machine unpacks its own part.
func testPlatforms(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	built := WriteIndexLayout(t, t.TempDir())
	img := delivery.Image{Repository: repo, Digest: built.Digest}
	for range 2 {
		if _, err := images.Push(t.Context(), built.Layout, img, "v1", nil); err != nil {
			t.Fatal(err)
		}
	}
	if has, err := images.Has(t.Context(), img); err != nil || !has {
		t.Errorf("Has = %v, %v after the push", has, err)
	}
	dir := filepath.Join(t.TempDir(), "rootfs")
	if _, err := images.Unpack(t.Context(), img, dir); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, map[string]string{"arch": "-rw-r--r-- " + runtime.GOARCH})

	images, repo = fresh(t)
	broken := WriteIndexLayout(t, t.TempDir())
	layers, err := filepath.Glob(filepath.Join(broken.Layout, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range layers { // one of the other platform's, too, must not be missing
		raw, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 2 && raw[0] == 0x1f {
			if err := os.Remove(blob); err != nil {
				t.Fatal(err)
			}
		}
	}
	img.Repository = repo
	if _, err := images.Push(t.Context(), broken.Layout, img, "v1", nil); err == nil {
		t.Error("an image without its layers was pushed")
	}
	if has, err := images.Has(t.Context(), img); err != nil && !errors.Is(err, fs.ErrNotExist) || has {
		t.Errorf("Has = %v, %v of a broken one", has, err)
	}
}
