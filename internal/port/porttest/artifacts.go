package porttest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestArtifactStore holds an adapter to port.ArtifactStore.
func TestArtifactStore(t *testing.T, fresh func(t *testing.T) port.ArtifactStore) {
	t.Run("store and fetch", func(t *testing.T) { testStoreFetch(t, fresh(t)) })
	t.Run("same files, same digest", func(t *testing.T) { testSameDigest(t, fresh(t)) })
	t.Run("refused", func(t *testing.T) { testStoreRefuses(t, fresh(t)) })
	t.Run("changed files", func(t *testing.T) { testChangedFiles(t, fresh(t)) })
	t.Run("unknown model", func(t *testing.T) { testUnknownModel(t, fresh(t)) })
	t.Run("fetch at once", func(t *testing.T) { testFetchAtOnce(t, fresh(t)) })
}

func modelTree() map[string]string {
	return map[string]string{"model.json": `{"coef":[1,2]}`, "weights/0.bin": strings.Repeat("w", 70000), "empty": "", "a b/ü.txt": "x"}
}

func testStoreFetch(t *testing.T, a port.ArtifactStore) {
	d, err := a.Store(t.Context(), "price-models", writeTree(t, modelTree()), map[string]string{"run": "r1"})
	if err != nil {
		t.Fatal(err)
	}
	ref := delivery.ModelRef{Group: "price-models", Version: 1, Digest: d}
	dir := filepath.Join(t.TempDir(), "deep", "model")
	for range 2 {
		if err := a.Fetch(t.Context(), ref, dir); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{}
	for name, body := range modelTree() {
		want[name] = "-r--r--r-- " + body
	}
	wantTree(t, dir, want)
}

func testSameDigest(t *testing.T, a port.ArtifactStore) {
	one, two := writeTree(t, modelTree()), writeTree(t, modelTree())
	if err := os.Chtimes(filepath.Join(two, "model.json"), time.Unix(5, 0), time.Unix(5, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(two, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(two, "no files in it"), 0o755); err != nil {
		t.Fatal(err)
	}
	notes := map[string]string{"b": "2", "a": "1"}
	x, err := a.Store(t.Context(), "m", one, notes)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := a.Store(t.Context(), "m", two, notes); err != nil || x != y {
		t.Errorf("the same files = %s, %v; before %s", y, err, x)
	}
	writeFile(t, filepath.Join(two, "model.json"), []byte(`{"coef":[1,3]}`))
	if y, err := a.Store(t.Context(), "m", two, notes); err != nil || x == y {
		t.Errorf("other files = %s, %v: the same digest", y, err)
	}
}

func testStoreRefuses(t *testing.T, a port.ArtifactStore) {
	linked := writeTree(t, modelTree())
	if err := os.Symlink("/etc/passwd", filepath.Join(linked, "secret")); err != nil {
		t.Fatal(err)
	}
	_, err := a.Store(t.Context(), "m", linked, nil)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "secret") {
		t.Errorf("a link: %v, want an invalid file by name", err)
	}
	if _, err := a.Store(t.Context(), "m", t.TempDir(), nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("no files: %v, want invalid", err)
	}
	if _, err := a.Store(t.Context(), "m", filepath.Join(t.TempDir(), "none"), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("no folder: %v, want not found", err)
	}
	for _, group := range []string{"", "..", "../x", "A", "a//b", "a:b", strings.Repeat("g", 300)} {
		if _, err := a.Store(t.Context(), group, writeTree(t, modelTree()), nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("group %.20q: %v, want invalid", group, err)
		}
		if err := a.Fetch(t.Context(), delivery.ModelRef{Group: group, Digest: delivery.DigestOf(nil)}, t.TempDir()+"/x"); !fault.Is(err, fault.Invalid) {
			t.Errorf("fetch of group %.20q: %v, want invalid", group, err)
		}
	}
}

func testChangedFiles(t *testing.T, a port.ArtifactStore) {
	d, err := a.Store(t.Context(), "m", writeTree(t, modelTree()), nil)
	if err != nil {
		t.Fatal(err)
	}
	ref := delivery.ModelRef{Group: "m", Version: 1, Digest: d}
	cases := map[string]struct {
		file   string
		change func(path string) error
	}{
		"cut off":  {"weights/0.bin", func(p string) error { return os.Truncate(p, 10) }},
		"changed":  {"model.json", func(p string) error { return os.WriteFile(p, []byte(`{"coef":[9,9]}`), 0o600) }},
		"removed":  {"empty", os.Remove},
		"one more": {"weights/1.bin", func(p string) error { return os.WriteFile(p, nil, 0o600) }},
		"a link": {"empty", func(p string) error {
			return errors.Join(os.Remove(p), os.Symlink("/dev/null", p))
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			if err := a.Fetch(t.Context(), ref, dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.FromSlash(c.file))
			if err := os.Chmod(path, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if err := c.change(path); err != nil {
				t.Fatal(err)
			}
			err := a.Fetch(t.Context(), ref, dir)
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), c.file) {
				t.Errorf("Fetch = %v, want corrupt, naming %s", err, c.file)
			}
		})
	}
}

func testUnknownModel(t *testing.T, a port.ArtifactStore) {
	dir := filepath.Join(t.TempDir(), "x")
	err := a.Fetch(t.Context(), delivery.ModelRef{Group: "m", Version: 7, Digest: delivery.DigestOf([]byte("none"))}, dir)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("Fetch = %v, want not found", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left %s: %v", dir, err)
	}
}

func testFetchAtOnce(t *testing.T, a port.ArtifactStore) {
	d, err := a.Store(t.Context(), "m", writeTree(t, modelTree()), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := a.Fetch(t.Context(), delivery.ModelRef{Group: "m", Digest: d}, dir); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}
