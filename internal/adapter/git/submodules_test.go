package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// addModule adds a repository as a submodule, as people do.
func addModule(t *testing.T, r, lib porttest.SourceFixture, path string) {
	t.Helper()
	runGit(t, r.Dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib.Dir, path)
	dir := filepath.Join(r.Dir, path)
	runGit(t, dir, "config", "user.email", "dev@example.com")
	runGit(t, dir, "config", "user.name", "Dev")
	runGit(t, dir, "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
}

func treeOf(t *testing.T, r porttest.SourceFixture) string {
	t.Helper()
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return c.Tree
}

func pathsOf(t *testing.T, r porttest.SourceFixture, tree string) []string {
	t.Helper()
	files, err := r.Source.Files(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestSource_Submodules(t *testing.T) {
	for _, folder := range []string{"", "services/api"} {
		t.Run(folder, func(t *testing.T) {
			inner, lib := newRepository(t, ""), newRepository(t, "")
			write(t, filepath.Join(lib.Dir, "code.py"), "1\n")
			lib.Commit(t)
			addModule(t, lib, inner, "deep/inner")
			lib.Commit(t)
			r := newRepository(t, folder)
			before := treeOf(t, r)
			addModule(t, r, lib, "libs/lib")
			r.Commit(t)
			tree := treeOf(t, r)
			want := []string{"first", "libs/lib/.gitmodules", "libs/lib/code.py", "libs/lib/deep/inner/first", "libs/lib/first"}
			if folder == "" {
				want = append([]string{".gitmodules"}, want...)
			}
			if got := pathsOf(t, r, tree); !slices.Equal(got, want) {
				t.Errorf("files %q, want %q", got, want)
			}
			if changed, err := r.Source.Changed(t.Context(), before, tree); err != nil || !slices.Contains(changed, "libs/lib/code.py") {
				t.Errorf("changed %q, %v, want the files of the submodule", changed, err)
			}
			out := filepath.Join(t.TempDir(), "out")
			for range 2 {
				if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
					t.Fatal(err)
				}
				holds(t, filepath.Join(out, "libs", "lib", "code.py"), "1\n")
				holds(t, filepath.Join(out, "libs", "lib", "deep", "inner", "first"), "first")
				// What a command leaves is gone with the next checkout.
				write(t, filepath.Join(out, "libs", "lib", "code.py"), "changed")
				write(t, filepath.Join(out, "libs", "lib", "left"), "x")
			}
			if err := r.Source.Checkout(t.Context(), tree, out); err != nil {
				t.Fatal(err)
			}
			holds(t, filepath.Join(out, "libs", "lib", "code.py"), "1\n")
			if _, err := os.Stat(filepath.Join(out, "libs", "lib", "left")); err == nil {
				t.Error("what a command left in the submodule is still there")
			}
			moveModule(t, r, tree, out)
			if err := r.Source.Checkout(t.Context(), before, out); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(out, "libs")); err == nil {
				t.Error("the submodule is still there in a tree without it")
			}
		})
	}
}

// moveModule commits another commit of the submodule, with its content on disk only in
// the user's clone of it.
func moveModule(t *testing.T, r porttest.SourceFixture, tree, out string) {
	t.Helper()
	dir := filepath.Join(r.Dir, "libs", "lib")
	write(t, filepath.Join(dir, "code.py"), "2\n")
	if _, err := r.Source.Head(t.Context(), true); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "the submodule libs/lib has uncommitted changes") {
		t.Errorf("uncommitted changes in a submodule: %v", err)
	}
	runGit(t, dir, "commit", "-q", "-a", "-m", "change")
	if c, err := r.Source.Head(t.Context(), true); err != nil || !c.Dirty {
		t.Errorf("another commit of a submodule: %+v, %v, want a dirty tree", c, err)
	}
	r.Commit(t)
	moved := treeOf(t, r)
	if changed, err := r.Source.Changed(t.Context(), tree, moved); err != nil || !slices.Equal(changed, []string{"libs/lib/code.py"}) {
		t.Errorf("changed %q, %v, want the one file", changed, err)
	}
	if err := r.Source.Checkout(t.Context(), moved, out); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(out, "libs", "lib", "code.py"), "2\n")
}

// TestSource_SubmoduleMissing: a clone without the submodule is named, with what to do.
func TestSource_SubmoduleMissing(t *testing.T) {
	lib, r := newRepository(t, ""), newRepository(t, "")
	addModule(t, r, lib, "libs/lib")
	r.Commit(t)
	clone := filepath.Join(t.TempDir(), "clone")
	runGit(t, r.Dir, "clone", "-q", r.Dir, clone)
	s := git.New(clone)
	c, err := s.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Files(t.Context(), c.Tree)
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "of the submodule libs/lib is not in this clone") || !strings.Contains(fault.HintOf(err), "git submodule update --init") {
		t.Errorf("error = %v (%s)", err, fault.HintOf(err))
	}
	// The clone keeps it although it is not checked out any more.
	runGit(t, clone, "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init")
	runGit(t, clone, "submodule", "deinit", "-q", "--all")
	if err := s.Checkout(t.Context(), c.Tree, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Error(err)
	}
}

// TestCheckout_LFSInSubmodule: contents in the clone of the submodule count.
func TestCheckout_LFSInSubmodule(t *testing.T) {
	fakeLFS(t, "")
	lib, r := newRepository(t, ""), newRepository(t, "")
	_, oid := commitPointer(t, lib, "models/a.bin", "weights")
	addModule(t, r, lib, "lib")
	r.Commit(t)
	keep(t, filepath.Join(r.Dir, "lib"), oid, "weights")
	out := filepath.Join(t.TempDir(), "out")
	if err := r.Source.Checkout(t.Context(), treeOf(t, r), out); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(out, "lib", "models", "a.bin"), "weights")
}
