package porttest

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestImageStore holds an adapter to port.ImageStore. fresh returns it with a repository
// to push to that holds nothing yet.
func TestImageStore(t *testing.T, fresh func(t *testing.T) (images port.ImageStore, repository string)) {
	t.Run("push and unpack", func(t *testing.T) { testPushUnpack(t, fresh) })
	t.Run("push again", func(t *testing.T) { testPushAgain(t, fresh) })
	t.Run("find and tag", func(t *testing.T) { testFindAndTag(t, fresh) })
	t.Run("download", func(t *testing.T) { testDownload(t, fresh) })
	t.Run("layers", func(t *testing.T) { testLayers(t, fresh) })
	t.Run("platforms", func(t *testing.T) { testPlatforms(t, fresh) })
	t.Run("hostile layers", func(t *testing.T) { testHostileLayers(t, fresh) })
	t.Run("hostile names", func(t *testing.T) { testHostileNames(t, fresh) })
	t.Run("damaged layout", func(t *testing.T) { testDamagedLayout(t, fresh) })
	t.Run("unknown image", func(t *testing.T) { testUnknownImage(t, fresh) })
	t.Run("cancelled", func(t *testing.T) { testImagesCancelled(t, fresh) })
	t.Run("unpack at once", func(t *testing.T) { testUnpackAtOnce(t, fresh) })
}

type freshImages = func(t *testing.T) (port.ImageStore, string)

func testPushUnpack(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	config := port.ImageConfig{Entrypoint: []string{"/app"}, Cmd: []string{"serve"}, Env: []string{"A=b"}, WorkingDir: "/srv", User: "65532", Ports: []int{8000, 9000}}
	img := push(t, images, repo, "v1", config, []LayerEntry{{Name: "app", Body: "#!", Mode: 0o755}})
	if has, err := images.Has(t.Context(), img); err != nil || !has {
		t.Fatalf("Has = %v, %v after the push", has, err)
	}
	dir := filepath.Join(t.TempDir(), "rootfs")
	for range 2 {
		got, err := images.Unpack(t.Context(), img, dir)
		if err != nil {
			t.Fatal(err)
		}
		if s, w := string(marshal(t, got)), string(marshal(t, config)); s != w {
			t.Errorf("config = %s, want %s", s, w)
		}
	}
	wantTree(t, dir, map[string]string{"app": "-rwxr-xr-x #!"})
	if ref := images.Reference(img); !strings.HasSuffix(ref, "@"+string(img.Digest)) || !strings.Contains(ref, "/") {
		t.Errorf("Reference = %q: no pinned name with a registry", ref)
	}
}

func testPushAgain(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	layout := t.TempDir()
	built := WriteLayout(t, layout, port.ImageConfig{}, []LayerEntry{{Name: "a", Body: strings.Repeat("a", 1<<16)}})
	img := delivery.Image{Repository: repo, Digest: built.Digest}
	for _, tag := range []string{"one", "one", "two"} {
		var done, total int64
		got, err := images.Push(t.Context(), layout, img, tag, func(d, n int64) { done, total = d, n })
		if err != nil || got != img {
			t.Fatalf("push as %s = %v, %v", tag, got, err)
		}
		if done != total {
			t.Errorf("push as %s ended at %d of %d bytes", tag, done, total)
		}
	}
	if _, err := images.Push(t.Context(), layout, img, "no progress", nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("a tag with a space: %v, want an invalid one", err)
	}
}

func testLayers(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	img := push(t, images, repo, "v1", port.ImageConfig{},
		[]LayerEntry{
			{Name: "./", Type: tar.TypeDir},
			{Name: "run/", Type: tar.TypeDir},
			{Name: "var/run", Type: tar.TypeSymlink, Link: "/run"},
			{Name: "tmp/", Type: tar.TypeDir, Mode: 0o1777},
			{Name: "etc/old", Body: "old"},
			{Name: "etc/keep", Body: "keep", Mode: 0o600},
			{Name: "etc/same", Type: tar.TypeLink, Link: "etc/keep"},
			{Name: "cache/a", Body: "a"},
			{Name: "cache/deep/b", Body: "b"},
			{Name: "locked/", Type: tar.TypeDir, Mode: 0o555},
			{Name: "locked/in", Body: "in"},
			{Name: "bin/su", Body: "su", Mode: 0o4755},
			{Name: "turns/file", Body: "x"},
			{Name: "dev/null", Type: tar.TypeChar},
		},
		[]LayerEntry{
			{Name: "etc/.wh.old"},
			{Name: "etc/link", Type: tar.TypeSymlink, Link: "keep"},
			{Name: "var/run/pid", Body: "1"},
			{Name: "cache/new/c", Body: "c"},
			{Name: "cache/.wh..wh..opq"},
			{Name: "turns", Body: "a file now"},
			{Name: "/abs", Body: "abs"},
		})
	dir := filepath.Join(t.TempDir(), "rootfs")
	if _, err := images.Unpack(t.Context(), img, dir); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, map[string]string{
		"run/pid": "-rw-r--r-- 1", "var/run": "-> /run", "tmp": "dtrwxr-xr-x",
		"etc/keep": "-rw------- keep", "etc/same": "-rw------- keep", "etc/link": "-> keep",
		"cache/new/c": "-rw-r--r-- c", "locked/in": "-rw-r--r-- in", "bin/su": "-rwxr-xr-x su",
		"turns": "-rw-r--r-- a file now", "abs": "-rw-r--r-- abs",
	})
	a, _ := os.Stat(filepath.Join(dir, "etc/keep"))
	b, _ := os.Stat(filepath.Join(dir, "etc/same"))
	if !os.SameFile(a, b) {
		t.Error("the hard link became another file")
	}
}

func testHostileLayers(t *testing.T, fresh freshImages) {
	outside := t.TempDir()
	cases := map[string][]LayerEntry{
		"dots":           {{Name: "../../pwned", Body: "x"}},
		"hidden dots":    {{Name: "a/../../../pwned", Body: "x"}},
		"link up":        {{Name: "l", Type: tar.TypeSymlink, Link: "../../.."}, {Name: "l/pwned", Body: "x"}},
		"link away":      {{Name: "l", Type: tar.TypeSymlink, Link: outside}, {Name: "l/pwned", Body: "x"}},
		"link chain":     {{Name: "a", Type: tar.TypeSymlink, Link: "b/.."}, {Name: "b", Type: tar.TypeSymlink, Link: ".."}, {Name: "a/pwned", Body: "x"}},
		"link loop":      {{Name: "a", Type: tar.TypeSymlink, Link: "b"}, {Name: "b", Type: tar.TypeSymlink, Link: "a"}, {Name: "a/x", Body: "x"}},
		"hard link up":   {{Name: "h", Type: tar.TypeLink, Link: "../../../etc/passwd"}},
		"hard link away": {{Name: "h", Type: tar.TypeLink, Link: "/etc/no-such-file"}},
		"whiteout up":    {{Name: ".wh..."}},
		"below a file":   {{Name: "f", Body: "x"}, {Name: "f/g", Body: "x"}},
	}
	for name, entries := range cases {
		t.Run(name, func(t *testing.T) {
			images, repo := fresh(t)
			img := push(t, images, repo, "v1", port.ImageConfig{}, entries)
			base := t.TempDir()
			dir := filepath.Join(base, "deep", "rootfs")
			_, err := images.Unpack(t.Context(), img, dir)
			if !fault.Is(err, fault.Corrupt) {
				t.Errorf("Unpack = %v, want a corrupt image", err)
			}
			for _, place := range []string{outside, base, filepath.Join(base, "deep")} {
				if _, err := os.Lstat(filepath.Join(place, "pwned")); err == nil {
					t.Errorf("an entry got out to %s", place)
				}
			}
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("half an image is visible: %v", err)
			}
		})
	}
}

func testHostileNames(t *testing.T, fresh freshImages) {
	images, _ := fresh(t)
	layout := t.TempDir()
	built := WriteLayout(t, layout, port.ImageConfig{}, []LayerEntry{{Name: "a"}})
	for _, repo := range []string{"", "..", "../x", "a/../../x", "/etc", "a//b", "A/b", "a b", "a\x00b", "a:tag", "a@sha256:0", "-a", "a/",
		"http://x/y", "user@host/x", "host.com:99999/x", "host.com:0x/x", strings.Repeat("a", 300), "a/./b", "é"} {
		img := delivery.Image{Repository: repo, Digest: built.Digest}
		if _, err := images.Push(t.Context(), layout, img, "v1", nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("push to %q = %v, want an invalid name", repo, err)
		}
		if _, err := images.Has(t.Context(), img); !fault.Is(err, fault.Invalid) {
			t.Errorf("Has in %q = %v, want an invalid name", repo, err)
		}
	}
	for _, digest := range []delivery.Digest{"", "sha256:abc", "../../x", "md5:" + delivery.Digest(strings.Repeat("0", 32))} {
		if _, err := images.Unpack(t.Context(), delivery.Image{Repository: "a/b", Digest: digest}, t.TempDir()+"/x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("unpack %q = %v, want an invalid digest", digest, err)
		}
	}
}

func testDamagedLayout(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	layout := t.TempDir()
	body := strings.Repeat("weights", 1000)
	built := WriteLayout(t, layout, port.ImageConfig{}, []LayerEntry{{Name: "a", Body: body}})
	blobs := filepath.Join(layout, "blobs", "sha256")
	damaged := false
	for _, name := range ls(t, blobs) {
		b, err := os.ReadFile(filepath.Join(blobs, name))
		if err != nil {
			t.Fatal(err)
		}
		if b[0] == 0x1f {
			b[len(b)/2] ^= 0xff
			writeFile(t, filepath.Join(blobs, name), b)
			damaged = true
		}
	}
	if !damaged {
		t.Fatal("the layout has no compressed layer")
	}
	img := delivery.Image{Repository: repo, Digest: built.Digest}
	if _, err := images.Push(t.Context(), layout, img, "v1", nil); !fault.Is(err, fault.Corrupt) {
		t.Errorf("push of a damaged layer = %v, want corrupt", err)
	}
	if has, err := images.Has(t.Context(), img); err != nil || has {
		t.Errorf("Has = %v, %v: half an image is visible", has, err)
	}
}

func testUnknownImage(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	img := delivery.Image{Repository: repo, Digest: delivery.DigestOf([]byte("nothing"))}
	if has, err := images.Has(t.Context(), img); err != nil || has {
		t.Errorf("Has = %v, %v", has, err)
	}
	if _, err := images.Unpack(t.Context(), img, filepath.Join(t.TempDir(), "x")); !fault.Is(err, fault.NotFound) {
		t.Errorf("Unpack = %v, want not found", err)
	}
	if _, err := images.Push(t.Context(), filepath.Join(t.TempDir(), "none"), img, "v1", nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("push of a layout that is not there = %v, want not found", err)
	}
}

func testImagesCancelled(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	layout := t.TempDir()
	built := WriteLayout(t, layout, port.ImageConfig{}, []LayerEntry{{Name: "a"}})
	stopped := errors.New("stopped by a person")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	img := delivery.Image{Repository: repo, Digest: built.Digest}
	if _, err := images.Push(ctx, layout, img, "v1", nil); !errors.Is(err, stopped) {
		t.Errorf("Push = %v, want the context's cause", err)
	}
	if _, err := images.Unpack(ctx, img, filepath.Join(t.TempDir(), "x")); !errors.Is(err, stopped) {
		t.Errorf("Unpack = %v, want the context's cause", err)
	}
}

func testUnpackAtOnce(t *testing.T, fresh freshImages) {
	images, repo := fresh(t)
	img := push(t, images, repo, "v1", port.ImageConfig{}, []LayerEntry{{Name: "app", Body: strings.Repeat("x", 1<<18)}})
	dir := filepath.Join(t.TempDir(), "rootfs")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := images.Unpack(t.Context(), img, dir); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	wantTree(t, dir, map[string]string{"app": "-rw-r--r-- " + strings.Repeat("x", 1<<18)})
}

// push makes a layout of the layers and pushes it.
func push(t *testing.T, images port.ImageStore, repo, tag string, config port.ImageConfig, layers ...[]LayerEntry) delivery.Image {
	t.Helper()
	layout := t.TempDir()
	built := WriteLayout(t, layout, config, layers...)
	img, err := images.Push(t.Context(), layout, delivery.Image{Repository: repo, Digest: built.Digest}, tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}
