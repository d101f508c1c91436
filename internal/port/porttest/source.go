package porttest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// SourceFixture is a source with the working tree behind it, which the suite
// changes as a developer would.
type SourceFixture struct {
	Source port.Source
	Dir    string           // where slipway.yaml would be
	Commit func(*testing.T) // commits everything in Dir
}

// TestSource proves the promises of port.Source. Each call of open gives a fresh
// repository with one commit that holds a file named "first".
func TestSource(t *testing.T, open func(*testing.T) SourceFixture) {
	tests := map[string]func(*testing.T, SourceFixture){
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

func sourceHead(t *testing.T, r SourceFixture) {
	c := head(t, r, false)
	if len(c.SHA) < 40 || len(c.Tree) < 40 || c.Dirty || c.Time.IsZero() || c.Time.Location().String() != "UTC" {
		t.Errorf("Head = %+v", c)
	}
	again := head(t, r, true)
	if again != c {
		t.Errorf("allowing dirt changes a clean head: %+v, %+v", c, again)
	}
}

func sourceDirty(t *testing.T, r SourceFixture) {
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

func sourceFiles(t *testing.T, r SourceFixture) {
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

func sourceChanged(t *testing.T, r SourceFixture) {
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

func sourceUnknown(t *testing.T, r SourceFixture) {
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
