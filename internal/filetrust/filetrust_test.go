package filetrust_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/filetrust"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		dir, path string
		want      bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/a/..b", true},
		{"/a", "/ab", false},
		{"/a", "/", false},
		{"/a", "/a/../b", false},
		{"/a/b", "/a", false},
		{"/a", "b", false},
	} {
		t.Run(c.dir+" "+c.path, func(t *testing.T) {
			if got := filetrust.Within(filepath.FromSlash(c.dir), filepath.FromSlash(c.path)); got != c.want {
				t.Errorf("Within = %t, want %t", got, c.want)
			}
		})
	}
}

// TestControls: links out of the folder and into it are both its writers' choice.
func TestControls(t *testing.T) {
	base := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, other := filepath.Join(base, "dir"), filepath.Join(base, "other")
	for _, d := range []string{dir, other} {
		must(os.Mkdir(d, 0o755))
		must(os.WriteFile(filepath.Join(d, "file"), nil, 0o644))
	}
	must(os.Symlink(filepath.Join(other, "file"), filepath.Join(dir, "out")))
	must(os.Symlink(filepath.Join(dir, "file"), filepath.Join(other, "in")))
	must(os.Symlink(dir, filepath.Join(base, "alias")))
	for _, c := range []struct {
		dir, path string
		want      bool
	}{
		{"dir", "dir/file", true},
		{"dir", "dir/missing", true},
		{"dir", "dir/out", true},
		{"dir", "other/in", true},
		{"dir", "alias/file", true},
		{"alias", "dir/file", true},
		{"alias", "alias/out", true},
		{"dir", "other/file", false},
		{"dir", "dirx", false},
	} {
		t.Run(c.dir+" "+c.path, func(t *testing.T) {
			if got := filetrust.Controls(filepath.Join(base, c.dir), filepath.Join(base, c.path)); got != c.want {
				t.Errorf("Controls = %t, want %t", got, c.want)
			}
		})
	}
}

// TestForeign: a link of another user to a file of ours is the other user's choice.
func TestForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files to other users")
	}
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	check := func(path string, want bool) {
		t.Helper()
		if uid, foreign := filetrust.Foreign(path); foreign != want || foreign && uid != 4711 {
			t.Errorf("Foreign(%s) = %d, %t, want %t", filepath.Base(path), uid, foreign, want)
		}
	}
	check(file, false)
	check(link, false)
	check(filepath.Join(dir, "missing"), false)
	if err := os.Lchown(link, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	check(file, false)
	check(link, true)
	if err := os.Chown(file, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	check(file, true)
}
