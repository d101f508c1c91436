package porttest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

func sourceCheckout(t *testing.T, r SourceFixture) {
	for _, name := range odd {
		write(t, r.Dir, name, "content of "+name)
	}
	write(t, r.Dir, "dos", "line\r\nline\r\n")
	r.Commit(t)
	out := filepath.Join(t.TempDir(), "deep", "out")
	checkout(t, r, head(t, r, false).Tree, out)
	want := contents(t, r.Dir)
	if got := contents(t, out); !maps.Equal(got, want) {
		t.Errorf("checkout holds %q, want %q", got, want)
	}
}

func sourceCheckoutKept(t *testing.T, r SourceFixture) {
	write(t, r.Dir, "keep", "keep")
	write(t, r.Dir, "change", "1")
	write(t, r.Dir, "was/file", "1")
	r.Commit(t)
	one := head(t, r, false).Tree
	out := filepath.Join(t.TempDir(), "out")
	checkout(t, r, one, out)
	before := stat(t, filepath.Join(out, "keep"))
	write(t, r.Dir, "change", "2")
	if err := os.RemoveAll(filepath.Join(r.Dir, "was")); err != nil {
		t.Fatal(err)
	}
	write(t, r.Dir, "was", "now a file")
	r.Commit(t)
	two := head(t, r, false).Tree
	for _, tree := range []string{two, two, one, two} {
		checkout(t, r, tree, out)
	}
	if got := contents(t, out); got["change"] != "2" || got["was"] != "now a file" {
		t.Errorf("checkout holds %q", got)
	}
	after := stat(t, filepath.Join(out, "keep"))
	if !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
		t.Error("an unchanged file was written again")
	}
}

// sourceCheckoutMends tampers with a checkout in every way and expects it mended,
// with nothing outside of it touched.
func sourceCheckoutMends(t *testing.T, r SourceFixture) {
	write(t, r.Dir, "file", "content")
	write(t, r.Dir, "dir/file", "content")
	write(t, r.Dir, "script", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(r.Dir, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.Commit(t)
	tree := head(t, r, false).Tree
	want := contents(t, r.Dir)
	outside := t.TempDir()
	write(t, outside, "file", "untouched")
	damage := map[string]func(out string) error{
		"changed":            func(out string) error { return os.WriteFile(filepath.Join(out, "file"), []byte("CONTENT"), 0o644) },
		"emptied":            func(out string) error { return os.Truncate(filepath.Join(out, "file"), 0) },
		"removed":            func(out string) error { return os.RemoveAll(filepath.Join(out, "dir")) },
		"mode":               func(out string) error { return os.Chmod(filepath.Join(out, "script"), 0o644) },
		"additional":         func(out string) error { return os.WriteFile(filepath.Join(out, "x.pyc"), nil, 0o644) },
		"additional folder":  func(out string) error { return os.MkdirAll(filepath.Join(out, "empty", "er"), 0o755) },
		"another repository": func(out string) error { return os.MkdirAll(filepath.Join(out, "vendored", ".git", "objects"), 0o755) },
		"file became folder": func(out string) error {
			f := filepath.Join(out, "file")
			os.Remove(f)
			return os.MkdirAll(filepath.Join(f, "x"), 0o755)
		},
		"folder became link": func(out string) error { d := filepath.Join(out, "dir"); os.RemoveAll(d); return os.Symlink(outside, d) },
		"file became link": func(out string) error {
			f := filepath.Join(out, "file")
			os.Remove(f)
			return os.Symlink(filepath.Join(outside, "file"), f)
		},
		"all gone":        os.RemoveAll,
		"all became file": func(out string) error { os.RemoveAll(out); return os.WriteFile(out, nil, 0o644) },
		"all became link": func(out string) error { os.RemoveAll(out); return os.Symlink(outside, out) },
		"index gone":      func(out string) error { return os.RemoveAll(out + ".git") },
		"index damaged":   func(out string) error { return scribble(out + ".git") },
		"read-only remainder": func(out string) error {
			d := filepath.Join(out, "mod", "x")
			os.MkdirAll(d, 0o755)
			os.WriteFile(filepath.Join(d, "f"), nil, 0o444)
			return os.Chmod(d, 0o555)
		},
	}
	for _, name := range slices.Sorted(maps.Keys(damage)) {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			checkout(t, r, tree, out)
			if err := damage[name](out); err != nil {
				t.Fatal(err)
			}
			checkout(t, r, tree, out)
			if got := contents(t, out); !maps.Equal(got, want) {
				t.Errorf("checkout holds %q, want %q", got, want)
			}
			if info := stat(t, filepath.Join(out, "script")); info.Mode().Perm()&0o100 == 0 {
				t.Error("the script can't be run")
			}
			if got := contents(t, outside); !maps.Equal(got, map[string]string{"file": "untouched"}) {
				t.Errorf("outside of the checkout: %q", got)
			}
		})
	}
}

func sourceConcurrent(t *testing.T, r SourceFixture) {
	tree := head(t, r, false).Tree
	out := filepath.Join(t.TempDir(), "out")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
				t.Error(err)
			}
			if _, err := r.Source.Head(t.Context(), true); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := contents(t, out); !maps.Equal(got, contents(t, r.Dir)) {
		t.Errorf("checkout holds %q", got)
	}
}

// scribble overwrites every file below dir but locks.
func scribble(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		return os.WriteFile(path, []byte("half writ"), 0o644)
	})
}

func head(t *testing.T, r SourceFixture, dirty bool) delivery.Commit {
	t.Helper()
	c, err := r.Source.Head(t.Context(), dirty)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checkout(t *testing.T, r SourceFixture, tree, dir string) {
	t.Helper()
	if err := r.Source.Checkout(t.Context(), tree, dir); err != nil {
		t.Fatal(err)
	}
}

func paths(t *testing.T, r SourceFixture, tree string) []string {
	t.Helper()
	files, err := r.Source.Files(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return out
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// contents are the files below dir with what is in them; empty folders count.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case name == ".git" || name == ".slipway":
			return filepath.SkipDir
		case d.IsDir():
			if entries, _ := os.ReadDir(path); len(entries) == 0 {
				out[name+"/"] = "empty folder"
			}
			return nil
		case d.Type()&os.ModeSymlink != 0:
			out[name], err = os.Readlink(path)
			return err
		}
		data, err := os.ReadFile(path)
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
