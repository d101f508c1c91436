package porttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestBlobs holds an implementation to port.Blobs. fresh returns a function that opens
// the same blobs, none at first, again and again, as separate machines would.
func TestBlobs(t *testing.T, fresh func(t *testing.T) (open func() port.Blobs)) {
	t.Run("file", func(t *testing.T) { testFileBlob(t, fresh(t)) })
	t.Run("folder", func(t *testing.T) { testFolderBlob(t, fresh(t)) })
	t.Run("what is there", func(t *testing.T) { testFetchOver(t, fresh(t)()) })
	t.Run("missing", func(t *testing.T) { testMissingBlob(t, fresh(t)()) })
	t.Run("refused", func(t *testing.T) { testRefusedBlobs(t, fresh(t)()) })
	t.Run("content", func(t *testing.T) { testBlobContent(t, fresh(t)) })
	t.Run("at once", func(t *testing.T) { testBlobsAtOnce(t, fresh(t)) })
	t.Run("cancelled", func(t *testing.T) { testBlobsCancelled(t, fresh(t)()) })
}

// blobTree is a folder's files by their paths.
type blobTree map[string]string

func (tree blobTree) write(t *testing.T, dir string) string {
	t.Helper()
	for path, text := range tree {
		at := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func wantBlobTree(t *testing.T, dir string, want blobTree) {
	t.Helper()
	got := blobTree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		raw, err := os.ReadFile(path)
		got[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("files in %s (error = %v) (-want +got):\n%s", dir, err, diff)
	}
	beside, _ := os.ReadDir(filepath.Dir(dir))
	for _, e := range beside {
		if e.Name()[0] == '.' {
			t.Errorf("%s was left beside %s", e.Name(), dir)
		}
	}
}

func sampleBlobTree() blobTree {
	return blobTree{
		"model.bin": string(bytes.Repeat([]byte("0123456789abcdef"), 5<<16)), "empty": "", "a/b/c.json": "{}", "a-b": "before a/b by its bytes",
		"with space, ünïcode": "x", "same": "{}",
	}
}

func testFileBlob(t *testing.T, open func() port.Blobs) {
	src := filepath.Join(t.TempDir(), "bom.json")
	for _, text := range []string{"", "{}", string(bytes.Repeat([]byte("x"), 3<<20))} {
		if err := os.WriteFile(src, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := saveBlob(t, open(), src)
		if want := (port.Blob{Digest: delivery.DigestOf([]byte(text)), Size: int64(len(text))}); b != want {
			t.Errorf("saved as %+v, want %+v", b, want)
		}
		dst := filepath.Join(t.TempDir(), "deep", "er", "copy.json")
		if err := open().Fetch(t.Context(), b, dst); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(dst); err != nil || string(got) != text {
			t.Errorf("fetched %d bytes (error = %v), want %d", len(got), err, len(text))
		}
	}
}

func testFolderBlob(t *testing.T, open func() port.Blobs) {
	tree := sampleBlobTree()
	src := tree.write(t, filepath.Join(t.TempDir(), "src"))
	if err := os.Chmod(filepath.Join(src, "same"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := saveBlob(t, open(), src)
	size := 0
	for _, text := range tree {
		size += len(text)
	}
	if !b.Digest.Valid() || !b.Folder || b.Size != int64(size) {
		t.Errorf("saved as %+v, want a folder of %d bytes", b, size)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	if err := open().Fetch(t.Context(), b, dst); err != nil {
		t.Fatal(err)
	}
	wantBlobTree(t, dst, tree)
	for name, executable := range map[string]bool{"same": true, "a/b/c.json": false} {
		if info, err := os.Stat(filepath.Join(dst, name)); err != nil || (info.Mode()&0o100 != 0) != executable {
			t.Errorf("%s has mode %s (error = %v), want executable = %v", name, info.Mode(), err, executable)
		}
	}
	if again := saveBlob(t, open(), dst); again != b {
		t.Errorf("the same files are %+v and %+v, want one blob", b, again)
	}
	if err := os.Mkdir(filepath.Join(src, "nothing in it"), 0o755); err != nil {
		t.Fatal(err)
	}
	if again := saveBlob(t, open(), src); again != b {
		t.Errorf("with an empty folder: %+v, want %+v", again, b)
	}
	blobTree{"same": "{ }"}.write(t, src)
	if other := saveBlob(t, open(), src); other.Digest == b.Digest {
		t.Errorf("other files are the same blob %s", b.Digest)
	}
}

// testFetchOver: what is there stays if it is the same, and is replaced otherwise.
func testFetchOver(t *testing.T, s port.Blobs) {
	tree := sampleBlobTree()
	b := saveBlob(t, s, tree.write(t, filepath.Join(t.TempDir(), "src")))
	dst := filepath.Join(t.TempDir(), "dst")
	old := time.Unix(1e9, 0)
	for name, c := range map[string]struct {
		change func()
		stays  bool
	}{
		"the same":     {func() {}, true},
		"a file more":  {func() { blobTree{"more": ""}.write(t, dst) }, false},
		"a file less":  {func() { os.Remove(filepath.Join(dst, "same")) }, false},
		"a byte":       {func() { blobTree{"same": "[]"}.write(t, dst) }, false},
		"a link":       {func() { os.Remove(filepath.Join(dst, "same")); os.Symlink("a/b/c.json", filepath.Join(dst, "same")) }, false},
		"a file":       {func() { os.RemoveAll(dst); os.WriteFile(dst, nil, 0o644) }, false},
		"empty folder": {func() { os.RemoveAll(dst); os.Mkdir(dst, 0o755) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Fetch(t.Context(), b, dst); err != nil {
				t.Fatal(err)
			}
			mark := filepath.Join(dst, "model.bin")
			if err := os.Chtimes(mark, old, old); err != nil {
				t.Fatal(err)
			}
			c.change()
			if err := s.Fetch(t.Context(), b, dst); err != nil {
				t.Fatal(err)
			}
			wantBlobTree(t, dst, tree)
			if info, err := os.Stat(mark); err != nil || info.ModTime().Equal(old) != c.stays {
				t.Errorf("the old file stayed: %v (error = %v), want %v", !c.stays, err, c.stays)
			}
		})
	}
}

func testMissingBlob(t *testing.T, s port.Blobs) {
	dir := t.TempDir()
	for _, b := range []port.Blob{{Digest: delivery.DigestOf([]byte("?")), Size: 1}, {Digest: delivery.DigestOf([]byte("?")), Size: 1, Folder: true}} {
		wantFault(t, "fetch a missing blob", s.Fetch(t.Context(), b, filepath.Join(dir, "dst")), fault.NotFound)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("left = %v (error = %v), want nothing", left, err)
	}
	_, _, err := s.Open(t.Context(), delivery.DigestOf([]byte("?")))
	wantFault(t, "open a missing blob", err, fault.NotFound)
	if _, err := s.Save(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("save a file that does not exist: error = %v, want %v", err, fs.ErrNotExist)
	}
}

func testRefusedBlobs(t *testing.T, s port.Blobs) {
	dir := blobTree{"a": "x"}.write(t, t.TempDir())
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "link")} {
		_, err := s.Save(t.Context(), path)
		wantFault(t, "save a link", err, fault.Invalid)
	}
	wantFault(t, "put without a digest", s.Put(t.Context(), "sha256:1", 0, nil), fault.Invalid)
	_, _, err := s.Open(t.Context(), "../log.json")
	wantFault(t, "open without a digest", err, fault.Invalid)
}

func testBlobContent(t *testing.T, open func() port.Blobs) {
	text := bytes.Repeat([]byte("layer"), 1<<20)
	d, reads := delivery.DigestOf(text), 0
	content := func(of []byte) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { reads++; return io.NopCloser(bytes.NewReader(of)), nil }
	}
	wantFault(t, "put other content", open().Put(t.Context(), d, int64(len(text)), content([]byte("other"))), fault.Corrupt)
	_, _, err := open().Open(t.Context(), d)
	wantFault(t, "open it", err, fault.NotFound)
	reads = 0
	for range 3 {
		if err := open().Put(t.Context(), d, int64(len(text)), content(text)); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 1 {
		t.Errorf("the content was read %d times, want once", reads)
	}
	r, size, err := open().Open(t.Context(), d)
	defer must(t, r, err).Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, text) || size != int64(len(text)) {
		t.Errorf("read %d bytes of %d (error = %v), want %d", len(got), size, err, len(text))
	}
}

func testBlobsAtOnce(t *testing.T, open func() port.Blobs) {
	tree := sampleBlobTree()
	src, dst := tree.write(t, filepath.Join(t.TempDir(), "src")), filepath.Join(t.TempDir(), "dst")
	concurrently(t, 6, []port.Blobs{open(), open()}, func(s port.Blobs, i int) error {
		b, err := s.Save(t.Context(), src)
		if err != nil {
			return err
		}
		return s.Fetch(t.Context(), b, filepath.Join(dst, string(rune('a'+i))))
	})
	for i := range 6 {
		wantBlobTree(t, filepath.Join(dst, string(rune('a'+i))), tree)
	}
	b, one := saveBlob(t, open(), src), filepath.Join(dst, "one")
	blobTree{"damaged": ""}.write(t, one)
	concurrently(t, 6, []port.Blobs{open(), open()}, func(s port.Blobs, _ int) error { return s.Fetch(t.Context(), b, one) })
	wantBlobTree(t, one, tree)
}

func testBlobsCancelled(t *testing.T, s port.Blobs) {
	src := blobTree{"a": "x"}.write(t, t.TempDir())
	b := saveBlob(t, s, src)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Save(ctx, src); !errors.Is(err, context.Canceled) {
		t.Errorf("save: error = %v, want %v", err, context.Canceled)
	}
	if err := s.Fetch(ctx, b, filepath.Join(t.TempDir(), "dst")); !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: error = %v, want %v", err, context.Canceled)
	}
}

func saveBlob(t *testing.T, s port.Blobs, path string) port.Blob {
	t.Helper()
	b, err := s.Save(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
