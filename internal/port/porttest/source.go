package porttest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Repository is a source with the working tree behind it, which the suite
// changes as a developer would.
type Repository struct {
	Source port.Source
	Dir    string           // where slipway.yaml would be
	Commit func(*testing.T) // commits everything in Dir
}

// TestSource proves the promises of port.Source. Each call of open gives a fresh
// repository with one commit that holds a file named "first".
func TestSource(t *testing.T, open func(*testing.T) Repository) {
	tests := map[string]func(*testing.T, Repository){
		"head":                  sourceHead,
		"dirty":                 sourceDirty,
		"files":                 sourceFiles,
		"changed":               sourceChanged,
		"unknown trees":         sourceUnknown,
		"checkout":              sourceCheckout,
		"checkout is kept":      sourceCheckoutKept,
		"checkout mends":        sourceCheckoutMends,
		"checkout concurrently": sourceConcurrent,
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) { tests[name](t, open(t)) })
	}
}

// odd are names that shells, options and globs trip over.
var odd = []string{"-rf", "--upload-pack=x", "a b", "new\nline", "qu\"ote", "$(id)", "*", ":(top)x", "ümlaut", "x/.hidden", "back\\slash"}

func sourceHead(t *testing.T, r Repository) {
	c := head(t, r, false)
	if len(c.SHA) < 40 || len(c.Tree) < 40 || c.Dirty || c.Time.IsZero() || c.Time.Location().String() != "UTC" {
		t.Errorf("Head = %+v", c)
	}
	again := head(t, r, true)
	if again != c {
		t.Errorf("allowing dirt changes a clean head: %+v, %+v", c, again)
	}
}

func sourceDirty(t *testing.T, r Repository) {
	clean := head(t, r, false)
	write(t, r.Dir, ".gitignore", "ignored\n")
	r.Commit(t)
	before := head(t, r, false)
	write(t, r.Dir, "ignored", "1")
	write(t, r.Dir, ".slipway/state", "1")
	if c := head(t, r, false); c != before {
		t.Errorf("ignored files and our own state are dirt: %+v", c)
	}
	write(t, r.Dir, "first", "changed")
	for _, name := range odd {
		write(t, r.Dir, name, "new "+name)
	}
	_, err := r.Source.Head(t.Context(), false)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "first") && !strings.Contains(err.Error(), "-rf") {
		t.Errorf("a dirty head: %v", err)
	}
	c := head(t, r, true)
	if !c.Dirty || c.SHA != before.SHA || c.Tree == before.Tree || c.Tree == clean.Tree {
		t.Errorf("a dirty head: %+v", c)
	}
	if again := head(t, r, true); again.Tree != c.Tree {
		t.Errorf("the same dirt has two trees: %s, %s", c.Tree, again.Tree)
	}
	want := append([]string{".gitignore", "first"}, odd...)
	slices.Sort(want)
	if got := paths(t, r, c.Tree); !slices.Equal(got, want) {
		t.Errorf("files of a dirty tree:\n got %q\nwant %q", got, want)
	}
	if _, err := r.Source.Head(t.Context(), false); !fault.Is(err, fault.Conflict) {
		t.Errorf("looking at the dirt has committed or staged it: %v", err)
	}
	if err := os.Remove(filepath.Join(r.Dir, "first")); err != nil {
		t.Fatal(err)
	}
	if got := paths(t, r, head(t, r, true).Tree); slices.Contains(got, "first") {
		t.Error("a removed file is in the tree")
	}
}

func sourceFiles(t *testing.T, r Repository) {
	write(t, r.Dir, "run.sh", "#!/bin/sh\n")
	write(t, r.Dir, "a/b/c", "same")
	write(t, r.Dir, "a.b", "same")
	if err := os.Chmod(filepath.Join(r.Dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a/b", filepath.Join(r.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	r.Commit(t)
	files, err := r.Source.Files(t.Context(), head(t, r, false).Tree)
	if err != nil {
		t.Fatal(err)
	}
	modes, blobs, order := map[string]string{}, map[string]string{}, []string{}
	for _, f := range files {
		modes[f.Path], blobs[f.Path], order = f.Mode, f.Blob, append(order, f.Path)
	}
	want := map[string]string{"a.b": "100644", "a/b/c": "100644", "first": "100644", "link": "120000", "run.sh": "100755"}
	if !maps.Equal(modes, want) || !slices.IsSorted(order) {
		t.Errorf("Files = %v in order %v, want %v", modes, order, want)
	}
	if blobs["a.b"] == "" || blobs["a.b"] != blobs["a/b/c"] || blobs["a.b"] == blobs["first"] {
		t.Errorf("names of contents: %v", blobs)
	}
}

func sourceChanged(t *testing.T, r Repository) {
	write(t, r.Dir, "moved", strings.Repeat("content\n", 50))
	write(t, r.Dir, "same", "same")
	write(t, r.Dir, "mode", "mode")
	r.Commit(t)
	from := head(t, r, false).Tree
	if err := os.Rename(filepath.Join(r.Dir, "moved"), filepath.Join(r.Dir, "-moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(r.Dir, "mode"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, r.Dir, "sub/new file", "1")
	r.Commit(t)
	to := head(t, r, false).Tree
	got, err := r.Source.Changed(t.Context(), from, to)
	if want := []string{"-moved", "mode", "moved", "sub/new file"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Changed = %q, %v, want %q", got, err, want)
	}
	if got, err := r.Source.Changed(t.Context(), to, to); err != nil || len(got) != 0 {
		t.Errorf("a tree differs from itself: %q, %v", got, err)
	}
}

func sourceUnknown(t *testing.T, r Repository) {
	tree := head(t, r, false).Tree
	for _, bad := range []string{"", "HEAD", "--help", strings.Repeat("0", len(tree)), strings.Repeat("ab", len(tree)/2)} {
		if _, err := r.Source.Files(t.Context(), bad); !fault.Is(err, fault.NotFound) {
			t.Errorf("Files of %q: %v", bad, err)
		}
		if _, err := r.Source.Changed(t.Context(), tree, bad); !fault.Is(err, fault.NotFound) {
			t.Errorf("Changed to %q: %v", bad, err)
		}
		if err := r.Source.Checkout(t.Context(), bad, filepath.Join(t.TempDir(), "out")); !fault.Is(err, fault.NotFound) {
			t.Errorf("Checkout of %q: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Source.Files(ctx, tree); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("a cancelled call: %v", err)
	}
}

func sourceCheckout(t *testing.T, r Repository) {
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

func sourceCheckoutKept(t *testing.T, r Repository) {
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
func sourceCheckoutMends(t *testing.T, r Repository) {
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

func sourceConcurrent(t *testing.T, r Repository) {
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

func head(t *testing.T, r Repository, dirty bool) delivery.Commit {
	t.Helper()
	c, err := r.Source.Head(t.Context(), dirty)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checkout(t *testing.T, r Repository, tree, dir string) {
	t.Helper()
	if err := r.Source.Checkout(t.Context(), tree, dir); err != nil {
		t.Fatal(err)
	}
}

func paths(t *testing.T, r Repository, tree string) []string {
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
