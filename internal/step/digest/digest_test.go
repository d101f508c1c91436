package digest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func paths(t *testing.T, h Hasher, p ...string) delivery.Digest {
	t.Helper()
	d, err := h.Paths(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPaths_IndependentOfLocation(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		write(t, dir+"/data/train.csv", "1,2\n")
		write(t, dir+"/data/sub/test.csv", "3,4\n")
	}
	if err := os.Chtimes(b+"/data/train.csv", time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if x, y := paths(t, Hasher{}, a+"/data"), paths(t, Hasher{}, b+"/data"); x != y || !x.Valid() {
		t.Errorf("%s and %s", x, y)
	}
	if x, y := paths(t, Hasher{}, a+"/data/train.csv"), paths(t, Hasher{}, b+"/data/train.csv"); x != y {
		t.Errorf("%s and %s", x, y)
	}
}

// TestPaths_EveryDifferenceCounts makes one change each and wants a digest that no
// other change has.
func TestPaths_EveryDifferenceCounts(t *testing.T) {
	seen := map[delivery.Digest]string{}
	changes := map[string]func(dir string) []string{
		"as it is": func(d string) []string { return []string{d} },
		"content":  func(d string) []string { write(t, d+"/a", "X"); return []string{d} },
		"name":     func(d string) []string { os.Rename(d+"/a", d+"/c"); return []string{d} },
		"moved": func(d string) []string {
			os.Mkdir(d+"/sub", 0o755)
			os.Rename(d+"/a", d+"/sub/a")
			return []string{d}
		},
		"one more":       func(d string) []string { write(t, d+"/z", ""); return []string{d} },
		"one less":       func(d string) []string { os.Remove(d + "/a"); return []string{d} },
		"swapped":        func(d string) []string { write(t, d+"/a", "b"); write(t, d+"/b", "a"); return []string{d} },
		"as files":       func(d string) []string { return []string{d + "/a", d + "/b"} },
		"as files, back": func(d string) []string { return []string{d + "/b", d + "/a"} },
		"newline name":   func(d string) []string { os.Rename(d+"/a", d+"/a\nfile \"b\""); return []string{d} },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/a", "a")
			write(t, dir+"/b", "b")
			d := paths(t, Hasher{}, change(dir)...)
			if other, taken := seen[d]; taken {
				t.Errorf("%q has the digest of %q", name, other)
			}
			seen[d] = name
		})
	}
}

func TestPaths_LinksAndSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/plain/a", "a")
	write(t, dir+"/real", "a")
	os.Mkdir(dir+"/linked", 0o755)
	os.Symlink(dir+"/real", dir+"/linked/a")
	os.Symlink(dir+"/plain", dir+"/alias")
	if paths(t, Hasher{}, dir+"/plain") != paths(t, Hasher{}, dir+"/linked") {
		t.Error("a link to a file does not count as the file")
	}
	if paths(t, Hasher{}, dir+"/plain") != paths(t, Hasher{}, dir+"/alias") {
		t.Error("a link to a folder, given itself, does not count as the folder")
	}
	if _, err := Dir(t.Context(), dir+"/linked"); !fault.Is(err, fault.Invalid) {
		t.Errorf("Folder took a link: %v", err)
	}
	os.Mkdir(dir+"/deep", 0o755)
	os.Symlink(dir+"/deep", dir+"/deep/loop")
	if _, err := Paths(t.Context(), []string{dir + "/deep"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a link to a folder = %v, want kind %s", err, fault.Invalid)
	}
	os.Mkdir(dir+"/pipe", 0o755)
	if err := syscall.Mkfifo(dir+"/pipe/p", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Paths(t.Context(), []string{dir + "/pipe"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a pipe in a folder = %v, want kind %s", err, fault.Invalid)
	}
	if _, err := Paths(t.Context(), []string{dir + "/pipe/p"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a pipe = %v, want kind %s", err, fault.Invalid)
	}
}

func TestPaths_Missing(t *testing.T) {
	if d, err := Paths(t.Context(), nil); d != "" || err != nil {
		t.Errorf("digest of no paths = %q, error = %v, want none", d, err)
	}
	_, err := Paths(t.Context(), []string{t.TempDir() + "/nowhere"})
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "nowhere") || fault.HintOf(err) == "" {
		t.Errorf("error = %v, want %s with %q", err, fault.NotFound, "nowhere")
	}
	if _, err := Dir(t.Context(), t.TempDir()); !fault.Is(err, fault.Failed) {
		t.Errorf("error of an empty folder = %v, want kind %s", err, fault.Failed)
	}
}

func TestPaths_Cancelled(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := Paths(ctx, []string{write(t, t.TempDir()+"/a", "a")}); !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir+"/data/a", "first")
	later := func() time.Time { return time.Now().Add(time.Hour) }
	c := NewCache(later)
	before := paths(t, Hasher{c}, file)
	if len(c.entries) != 1 {
		t.Fatalf("kept %d digests, want 1", len(c.entries))
	}
	if err := c.Save(dir + "/cache.json"); err != nil {
		t.Fatal(err)
	}
	again := NewCache(later)
	if err := again.Load(dir + "/cache.json"); err != nil {
		t.Fatal(err)
	}
	// A kept digest is used: a planted one comes out.
	s := again.entries[file]
	s.Content = delivery.DigestFromHex(strings.Repeat("00", 32))
	again.entries[file] = s
	if paths(t, Hasher{again}, file) == before {
		t.Error("the digest was computed, want the one in the cache")
	}
	// The same size and time of modification do not hide a change: the time of
	// the inode's change can't be set.
	info, _ := os.Stat(file)
	write(t, file, "other")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if paths(t, Hasher{c}, file) == before {
		t.Error("a changed file has the digest it had before")
	}
}

func TestCache_SkipsRecentFiles(t *testing.T) {
	c := NewCache(nil)
	paths(t, Hasher{c}, write(t, t.TempDir()+"/a", "a"))
	if len(c.entries) != 0 {
		t.Error("the digest of a file that was written just now was kept")
	}
}

func TestCacheLoad_DamagedIsEmpty(t *testing.T) {
	for _, text := range []string{"", "{", `{"/a":{"content":"nonsense"}}`, "[]"} {
		c := NewCache(nil)
		if err := c.Load(write(t, t.TempDir()+"/c", text)); err != nil || len(c.entries) != 0 {
			t.Errorf("Load of %q: error = %v, %d entries, want none", text, err, len(c.entries))
		}
	}
}

func TestStore(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/model", "weights")
	write(t, root+"/a/sub/vocab", "x")
	metrics := write(t, root+"/metrics.json", "{}")
	dir, files, err := Store(t.Context(), []string{root + "/a", metrics}, root+"/kept")
	if err != nil || dir != root+"/kept/"+files.Hex() {
		t.Fatalf("Store = %s, %s, error %v, want a folder named by the digest", dir, files, err)
	}
	if have, err := Dir(t.Context(), dir); have != files || err != nil {
		t.Errorf("digest of the stored folder = %s, error = %v, want %s", have, err, files)
	}
	if info, _ := os.Stat(dir + "/sub/vocab"); info.Mode().Perm() != 0o444 {
		t.Errorf("mode = %s, want read-only", info.Mode())
	}
	// Again: the same. Damaged: replaced.
	if again, _, err := Store(t.Context(), []string{root + "/a", metrics}, root+"/kept"); again != dir || err != nil {
		t.Errorf("stored again in %s, error = %v, want %s", again, err, dir)
	}
	os.Remove(dir + "/model")
	write(t, dir+"/model", "broken")
	if again, _, err := Store(t.Context(), []string{root + "/a", metrics}, root+"/kept"); again != dir || err != nil {
		t.Errorf("stored again in %s, error = %v, want %s", again, err, dir)
	}
	if have, err := Dir(t.Context(), dir); have != files || err != nil {
		t.Errorf("digest after the repair = %s, error = %v, want %s", have, err, files)
	}
	if left, _ := filepath.Glob(root + "/kept/.new-*"); len(left) > 0 {
		t.Errorf("left over: %q, want none", left)
	}
}

func TestStore_Refuses(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/metrics.json", "{}")
	metrics := write(t, root+"/metrics.json", "{}")
	if _, _, err := Store(t.Context(), []string{root + "/a", metrics}, root+"/kept"); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of two files of one name = %v, want kind %s", err, fault.Invalid)
	}
	os.Mkdir(root+"/empty", 0o755)
	if _, _, err := Store(t.Context(), []string{root + "/empty"}, root+"/kept"); !fault.Is(err, fault.Failed) {
		t.Errorf("error of an empty folder = %v, want kind %s", err, fault.Failed)
	}
	os.Symlink(metrics, root+"/empty/link")
	if _, _, err := Store(t.Context(), []string{root + "/empty"}, root+"/kept"); !fault.Is(err, fault.Invalid) {
		t.Errorf("error of a symbolic link = %v, want kind %s", err, fault.Invalid)
	}
	if left, _ := os.ReadDir(root + "/kept"); len(left) > 0 {
		t.Errorf("left over: %v, want none", left)
	}
}

func TestCopyFile(t *testing.T) {
	root := t.TempDir()
	src := write(t, root+"/src", "content")
	if err := copyFile(t.Context(), src, root+"/dst"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(root + "/dst"); string(got) != "content" {
		t.Errorf("copy = %q, want %q", got, "content")
	}
}

// TestPaths_RefusesPointers: training data is never a Git LFS pointer.
func TestPaths_RefusesPointers(t *testing.T) {
	path := write(t, t.TempDir()+"/data/train.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:"+strings.Repeat("0a", 32)+"\nsize 4\n")
	for _, p := range []string{path, filepath.Dir(path)} {
		_, err := Paths(t.Context(), []string{p})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "train.csv is a Git LFS pointer") || !strings.Contains(fault.HintOf(err), "git lfs pull") {
			t.Errorf("%s: %v (%s)", p, err, fault.HintOf(err))
		}
	}
}
