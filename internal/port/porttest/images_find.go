package porttest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// testFindAndTag: a tag names what it was given to last.
func testFindAndTag(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	find := func(tag string) (delivery.Image, bool) {
		t.Helper()
		img, ok, err := images.Find(t.Context(), repo, tag)
		if err != nil {
			t.Fatalf("Find %s: %v", tag, err)
		}
		return img, ok
	}
	if img, ok := find("inputs-1"); ok {
		t.Errorf("Find in an empty repository = %v, want none", img)
	}
	one := push(t, images, repo, "v1", port.ImageConfig{}, []LayerEntry{{Name: "a", Body: "1"}})
	two := push(t, images, repo, "v2", port.ImageConfig{}, []LayerEntry{{Name: "a", Body: "2"}})
	for tag, want := range map[string]delivery.Image{"v1": one, "v2": two} {
		if got, ok := find(tag); !ok || got != want {
			t.Errorf("Find %s = %v, %v, want %v", tag, got, ok, want)
		}
	}
	for _, img := range []delivery.Image{one, one, two} {
		if err := images.Tag(t.Context(), img, "inputs-1"); err != nil {
			t.Fatal(err)
		}
		if got, ok := find("inputs-1"); !ok || got != img {
			t.Errorf("Find inputs-1 = %v, %v, want %v", got, ok, img)
		}
	}
	if img, ok := find("inputs-2"); ok {
		t.Errorf("Find inputs-2 = %v, want none", img)
	}
	missing := delivery.Image{Repository: repo, Digest: delivery.DigestOf([]byte("missing"))}
	if err := images.Tag(t.Context(), missing, "inputs-2"); !fault.Is(err, fault.NotFound) {
		t.Errorf("tag an image that is missing: error = %v, want %s", err, fault.NotFound)
	}
	for _, tag := range []string{"", "a b", "../x", "a/b"} {
		if _, _, err := images.Find(t.Context(), repo, tag); !fault.Is(err, fault.Invalid) {
			t.Errorf("Find tag %q: error = %v, want %s", tag, err, fault.Invalid)
		}
		if err := images.Tag(t.Context(), one, tag); !fault.Is(err, fault.Invalid) {
			t.Errorf("tag %q: error = %v, want %s", tag, err, fault.Invalid)
		}
	}
}

// testDownload: what was pushed comes back, and can be pushed again.
func testDownload(t *testing.T, fresh freshImages) {
	for name, write := range map[string]func(t *testing.T, dir string) port.BuiltImage{
		"one platform": func(t *testing.T, dir string) port.BuiltImage {
			t.Helper()
			return WriteLayout(t, dir, port.ImageConfig{User: "1000"}, []LayerEntry{{Name: "a", Body: "a"}})
		},
		"two platforms": func(t *testing.T, dir string) port.BuiltImage {
			t.Helper()
			return WriteIndexLayout(t, dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			images, repo := fresh(t)
			built := write(t, t.TempDir())
			img := delivery.Image{Repository: repo, Digest: built.Digest}
			if _, err := images.Push(t.Context(), built.Layout, img, "v1", nil); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "images", "x")
			writeFile(t, filepath.Join(dir, "index.json"), []byte("{}")) // a broken one is replaced
			for range 2 {
				if err := images.Download(t.Context(), img, dir); err != nil {
					t.Fatal(err)
				}
				if !ocilayout.Layout(dir).IsComplete(img.Digest) {
					t.Fatalf("the layout of %s is not complete", img)
				}
			}
			if _, err := images.Push(t.Context(), dir, img, "v2", nil); err != nil {
				t.Errorf("push what was downloaded: %v", err)
			}
			missing := delivery.Image{Repository: repo, Digest: delivery.DigestOf([]byte("missing"))}
			nowhere := filepath.Join(t.TempDir(), "y")
			if err := images.Download(t.Context(), missing, nowhere); !fault.Is(err, fault.NotFound) {
				t.Errorf("download what is missing: error = %v, want %s", err, fault.NotFound)
			}
			if _, err := os.Stat(nowhere); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stat of the folder = %v, want %v", err, fs.ErrNotExist)
			}
		})
	}
}
