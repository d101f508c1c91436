package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// newAlso is a service in a repository, with a folder beside it that belongs to it and
// others that do not.
func newAlso(t *testing.T, globs ...string) (git.Source, porttest.SourceFixture) {
	t.Helper()
	r := newRepository(t, "services/api")
	for _, name := range []string{"../common/a.py", "../common/deep/b.py", "../common/notes.md", "../../libs/c.py", "../../libs/d.txt"} {
		write(t, filepath.Join(r.Dir, name), name)
	}
	r.Commit(t)
	if len(globs) == 0 {
		globs = []string{"../common/**/*.py", "../../libs/*.py"}
	}
	s := git.Source{Dir: r.Dir, Also: globs}
	r.Source = s
	return s, r
}

func mustHead(t *testing.T, s git.Source, dirty bool) delivery.Commit {
	t.Helper()
	c, err := s.Head(t.Context(), dirty)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAlso_FilesBesideTheService(t *testing.T) {
	s, r := newAlso(t)
	c := mustHead(t, s, false)
	if again := mustHead(t, s, true); c.Dirty || again != c {
		t.Errorf("head %+v, then %+v, want the same, clean", c, again)
	}
	want := []string{"../../libs/c.py", "../common/a.py", "../common/deep/b.py", "first"}
	if got := pathsOf(t, r, c.Tree); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	out := filepath.Join(t.TempDir(), "out")
	folder, err := s.Folder(t.Context(), c.Tree)
	if err != nil || folder != filepath.Join("services", "api") {
		t.Fatalf("folder %q, %v", folder, err)
	}
	for range 2 {
		if err := s.Checkout(t.Context(), c.Tree, out); err != nil {
			t.Fatal(err)
		}
		service := filepath.Join(out, folder)
		holds(t, filepath.Join(service, "first"), "first")
		holds(t, filepath.Join(service, "../common/deep/b.py"), "../common/deep/b.py")
		holds(t, filepath.Join(service, "../../libs/c.py"), "../../libs/c.py")
		for _, name := range []string{"../common/notes.md", "../../libs/d.txt", "../../beside", "../other/file"} {
			if _, err := os.Stat(filepath.Join(service, name)); err == nil {
				t.Errorf("%s is in the checkout, and no glob matches it", name)
			}
		}
		write(t, filepath.Join(service, "../common/left"), "x")
	}
}

func TestAlso_Changed(t *testing.T) {
	s, r := newAlso(t)
	plain := git.New(r.Dir)
	before, alone := mustHead(t, s, false), mustHead(t, plain, false)
	write(t, filepath.Join(r.Dir, "../common/notes.md"), "changed")
	write(t, filepath.Join(r.Dir, "../other/file"), "changed")
	if c := mustHead(t, s, false); c.Tree != before.Tree {
		t.Error("files that no glob matches make another tree")
	}
	write(t, filepath.Join(r.Dir, "../common/a.py"), "changed")
	write(t, filepath.Join(r.Dir, "../common/new/n.py"), "new")
	if err := os.Remove(filepath.Join(r.Dir, "../../libs/c.py")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Head(t.Context(), false); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "../common/a.py") || strings.Contains(err.Error(), "notes.md") {
		t.Errorf("uncommitted changes beside the service: %v", err)
	}
	dirty := mustHead(t, s, true)
	want := []string{"../../libs/c.py", "../common/a.py", "../common/new/n.py"}
	if changed, err := s.Changed(t.Context(), before.Tree, dirty.Tree); err != nil || !slices.Equal(changed, want) {
		t.Errorf("changed %q, %v, want %q", changed, err, want)
	}
	scratch := s.WithScratch(t.TempDir()).(git.Source)
	if c := mustHead(t, scratch, true); c.Tree != dirty.Tree {
		t.Errorf("without writing to the repository the tree is %s, want %s", c.Tree, dirty.Tree)
	}
	r.Commit(t)
	runGit(t, r.Dir, "add", "-A", "../..")
	runGit(t, r.Dir, "commit", "-q", "--allow-empty", "-m", "rest")
	after := mustHead(t, s, false)
	if after.Tree != dirty.Tree || after.Dirty {
		t.Errorf("committed: %+v, want the tree %s", after, dirty.Tree)
	}
	// A tree of before source.also was set, or of after it was removed.
	for name, source := range map[string]git.Source{"set": s, "removed": plain} {
		if changed, err := source.Changed(t.Context(), alone.Tree, after.Tree); err != nil || !slices.Equal(changed, []string{"../common/a.py", "../common/deep/b.py", "../common/new/n.py"}) {
			t.Errorf("%s: changed %q, %v, want the files beside the service", name, changed, err)
		}
	}
}

// TestAlso_PlanWritesNothing: the tree of a clean commit is made in the scratch folder.
func TestAlso_PlanWritesNothing(t *testing.T) {
	s, r := newAlso(t)
	objects := func() string { return runGit(t, r.Dir, "count-objects", "-v") }
	before := objects()
	scratch := s.WithScratch(t.TempDir()).(git.Source)
	c := mustHead(t, scratch, true)
	if err := scratch.Checkout(t.Context(), c.Tree, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Fatal(err)
	}
	if after := objects(); after != before {
		t.Errorf("objects in the repository:\n%s\nwant\n%s", after, before)
	}
}

func TestAlso_OutsideTheRepository(t *testing.T) {
	s, _ := newAlso(t, "../../../elsewhere/**")
	if _, err := s.Head(t.Context(), false); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is outside the repository") {
		t.Errorf("error = %v, want %s", err, fault.Invalid)
	}
}

// TestAlso_Submodule: a shared folder may be a submodule.
func TestAlso_Submodule(t *testing.T) {
	s, r := newAlso(t, "../../vendor/**", "../../vendor/lib")
	lib := newRepository(t, "")
	top := filepath.Join(r.Dir, "../..")
	runGit(t, top, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib.Dir, "vendor/lib")
	r.Commit(t)
	c := mustHead(t, s, false)
	if got := pathsOf(t, r, c.Tree); !slices.Contains(got, "../../vendor/lib/first") {
		t.Errorf("files %q, want those of the submodule", got)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := s.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(out, "vendor", "lib", "first"), "first")
}

func TestSource_ConformanceWithAlso(t *testing.T) {
	porttest.TestSource(t, func(t *testing.T) porttest.SourceFixture {
		r := newRepository(t, "services/the api")
		r.Source = git.Source{Dir: r.Dir, Also: []string{"../../never/**"}}
		return r
	})
}
