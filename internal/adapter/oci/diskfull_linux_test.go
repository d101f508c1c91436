package oci_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/oci/embedded"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestRegistry_DiskFull(t *testing.T) {
	disk := porttest.SmallDisk(t, "4m")
	big, small := t.TempDir(), t.TempDir()
	bigImage := delivery.Image{Repository: "a/b", Digest: bigLayout(t, big, 8<<20).Digest}
	e, err := embedded.Open(filepath.Join(disk, "registry"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := registryIn(e)
	wantFull := func(act string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), disk) {
			t.Errorf("%s on a full disk = %v", act, err)
		}
	}
	_, err = r.Push(t.Context(), big, bigImage, "v1", nil)
	wantFull("push", err)
	if !strings.Contains(fmt.Sprint(err), "the image needs 8.0 MB") {
		t.Errorf("error = %v, want one with the size of the image", err)
	}
	_, err = r.Store(t.Context(), "m", big, nil)
	wantFull("store", err)
	if has, err := r.Has(t.Context(), bigImage); err != nil || has {
		t.Errorf("Has = %v, %v, want false", has, err)
	}
	elsewhere := registryIn(openEmbedded(t))
	if _, err := elsewhere.Push(t.Context(), big, bigImage, "v1", nil); err != nil {
		t.Fatal(err)
	}
	_, err = elsewhere.Unpack(t.Context(), bigImage, filepath.Join(disk, "rootfs"))
	wantFull("unpack", err)
	digest, err := elsewhere.Store(t.Context(), "m", big, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFull("fetch", elsewhere.Fetch(t.Context(), delivery.ModelRef{Group: "m", Digest: digest}, filepath.Join(disk, "model")))
	// What failed takes no room, so something smaller still fits.
	built := porttest.WriteLayout(t, small, port.ImageConfig{}, []porttest.LayerEntry{{Name: "a"}})
	if _, err := r.Push(t.Context(), small, delivery.Image{Repository: "a/b", Digest: built.Digest}, "v1", nil); err != nil {
		t.Errorf("a small image after a big one: %v", err)
	}
}

// TestPush_DiskFillsDuringUpload fills the disk after the push has looked at it.
func TestPush_DiskFillsDuringUpload(t *testing.T) {
	disk := porttest.SmallDisk(t, "12m")
	dir := t.TempDir()
	img := delivery.Image{Repository: "a/b", Digest: bigLayout(t, dir, 8<<20).Digest}
	e, err := embedded.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { e.Close() }()
	filled := false
	_, err = registryIn(e).Push(t.Context(), dir, img, "v1", func(done, _ int64) {
		if done > 0 && !filled {
			filled = true
			_ = os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 16<<20), 0o600) // fails when the disk is full
		}
	})
	if !filled || !fault.Is(err, fault.Exhausted) {
		t.Fatalf("Push = %v (disk filled: %v), want exhausted", err, filled)
	}
	// The push does not wait for the upload that it gave up when the other failed;
	// closing does. Given up between two requests, an upload has little in it, and
	// goes an hour later.
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(disk, "docker/registry/v2/repositories/a/b/_uploads/*/data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && info.Size() > 64<<10 {
			t.Errorf("left behind: %d bytes of %s", info.Size(), path)
		}
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	if e, err = embedded.Open(disk); err != nil {
		t.Fatal(err)
	}
	if _, err := registryIn(e).Push(t.Context(), dir, img, "v1", nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
