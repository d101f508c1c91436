package git_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestScratch_Conformance(t *testing.T) {
	for _, folder := range []string{"", "services/the api"} {
		t.Run("folder "+folder, func(t *testing.T) {
			porttest.TestSource(t, func(t *testing.T) porttest.SourceFixture {
				r := newRepository(t, folder)
				r.Source = git.New(r.Dir).WithScratch(t.TempDir())
				return r
			})
		})
	}
}

// TestScratch_LeavesRepositoryAlone compares all files of the repository, and the tree
// with that of a source which writes to it.
func TestScratch_LeavesRepositoryAlone(t *testing.T) {
	for _, folder := range []string{"", "services/the api"} {
		t.Run("folder "+folder, func(t *testing.T) {
			r := newRepository(t, folder)
			write(t, filepath.Join(r.Dir, "big tracked"), "small at first")
			write(t, filepath.Join(r.Dir, "models", ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n")
			r.Commit(t)
			top := runGit(t, r.Dir, "rev-parse", "--show-toplevel")
			write(t, filepath.Join(r.Dir, "first"), "changed")
			write(t, filepath.Join(r.Dir, "k8s", "a.yaml"), "kind: Service\n")
			write(t, filepath.Join(r.Dir, "data", "-big\n*"), strings.Repeat("x", 5<<20))
			write(t, filepath.Join(r.Dir, "big tracked"), strings.Repeat("y", 5<<20))
			if err := os.Chmod(filepath.Join(r.Dir, "big tracked"), 0o755); err != nil {
				t.Fatal(err)
			}
			before := sizes(t, filepath.Join(top, ".git"))
			scratch := t.TempDir()
			source := git.New(r.Dir).WithScratch(scratch)
			c, err := source.Head(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			files, err := source.Files(t.Context(), c.Tree)
			if err != nil {
				t.Fatal(err)
			}
			if err := source.(port.TreeChecker).CheckTree(t.Context(), c.Tree, files); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out")
			if err := source.Checkout(t.Context(), c.Tree, out); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(out, "k8s", "a.yaml")); err != nil || string(got) != "kind: Service\n" {
				t.Errorf("k8s/a.yaml is %q (%v)", got, err)
			}
			if got, err := os.ReadFile(filepath.Join(out, "first")); err != nil || string(got) != "changed" {
				t.Errorf("first is %q (%v)", got, err)
			}
			if diff := cmp.Diff(before, sizes(t, filepath.Join(top, ".git"))); diff != "" {
				t.Errorf("files of .git (-before +after):\n%s", diff)
			}
			total := int64(0)
			for _, size := range sizes(t, scratch) {
				total += size
			}
			if total > 64<<10 {
				t.Errorf("the scratch folder holds %d bytes, want no big file", total)
			}
			written, err := git.New(r.Dir).Head(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(written, c); diff != "" {
				t.Errorf("commit (-written to the repository +scratch):\n%s", diff)
			}
			want, err := git.New(r.Dir).Files(t.Context(), written.Tree)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, files); diff != "" {
				t.Errorf("files (-written to the repository +scratch):\n%s", diff)
			}
		})
	}
}

// sizes lists the files below a folder with their sizes.
func sizes(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			out[path+"/"] = 0
			return nil
		}
		out[path] = info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(fmt.Errorf("list %s: %w", dir, err))
	}
	return out
}
