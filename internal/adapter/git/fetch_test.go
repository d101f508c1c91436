package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// clone clones the repository that has the folder, with the newest commit alone.
func clone(t *testing.T, dir string, more ...string) (top string) {
	t.Helper()
	top = filepath.Join(t.TempDir(), "clone")
	from := runGit(t, dir, "rev-parse", "--show-toplevel")
	runGit(t, t.TempDir(), append(append([]string{"clone", "-q", "--no-local"}, more...), "file://"+from, top)...)
	return top
}

// TestFetch: a clone that lacks a commit, as a CI's does, gets it from origin, and what
// Head made of it elsewhere; the user's index and working tree stay.
func TestFetch(t *testing.T) {
	for name, c := range map[string]struct {
		clone []string
		also  []string
	}{
		"shallow":          {[]string{"--depth=1"}, nil},
		"shallow, beside":  {[]string{"--depth=1"}, []string{"../common/**/*.py"}},
		"complete, beside": {nil, []string{"../common/**/*.py"}},
	} {
		t.Run(name, func(t *testing.T) {
			origin, r := newAlso(t)
			origin.Also = c.also
			old := mustHead(t, origin, false)
			write(t, filepath.Join(r.Dir, "first"), "changed")
			r.Commit(t)
			top := clone(t, r.Dir, c.clone...)
			s := git.Source{Dir: filepath.Join(top, "services", "api"), Also: c.also}
			into := filepath.Join(t.TempDir(), "src")
			if err := s.Checkout(t.Context(), old.Tree, into); !fault.Is(err, fault.NotFound) {
				t.Fatalf("checkout before: error = %v, want %s", err, fault.NotFound)
			}
			for range 2 {
				if err := s.Fetch(t.Context(), old); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Checkout(t.Context(), old.Tree, into); err != nil {
				t.Fatalf("checkout: %v", err)
			}
			first := filepath.Join(into, "first")
			if len(c.also) > 0 {
				first = filepath.Join(into, "services", "api", "first")
			}
			if got, err := os.ReadFile(first); err != nil || string(got) != "first" {
				t.Errorf("checked out %q (error = %v), want the old content", got, err)
			}
			if changes := runGit(t, top, "status", "--porcelain"); changes != "" {
				t.Errorf("the clone has changes: %s", changes)
			}
		})
	}
}

// TestFetch_Nowhere: what no clone has is told, with what to do.
func TestFetch_Nowhere(t *testing.T) {
	r := newRepository(t, "")
	head, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	s := git.New(clone(t, r.Dir))
	dirty := head
	dirty.Tree, dirty.Dirty = strings.Repeat("1", 40), true
	unknown := delivery.Commit{SHA: strings.Repeat("2", 40), Tree: strings.Repeat("3", 40)}
	for name, c := range map[string]struct {
		commit delivery.Commit
		want   string
	}{
		"uncommitted changes": {dirty, "--allow-dirty"},
		"an unknown commit":   {unknown, "fetch-depth: 0"},
		"no commit":           {delivery.Commit{SHA: "--upload-pack=x", Tree: head.Tree}, ""},
	} {
		if err := s.Fetch(t.Context(), c.commit); !fault.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), c.want) {
			t.Errorf("%s: error = %v (%s), want %s and %q", name, err, fault.HintOf(err), fault.NotFound, c.want)
		}
	}
}
