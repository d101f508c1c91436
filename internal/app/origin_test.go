package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// TestCheckOrigin: a state folder that was made where it is stays usable, also in another
// place; a copy of it is not, until it is named.
func TestCheckOrigin(t *testing.T) {
	if _, known := filetrust.Identity(t.TempDir()); !known {
		t.Skip("this file system can't tell a folder from its copy")
	}
	for _, c := range []struct {
		name    string
		change  func(t *testing.T, repo string) (elsewhere string)
		environ []string // REPO stands for the repository
		denied  bool
	}{
		{"made here", func(_ *testing.T, repo string) string { return repo }, nil, false},
		{"moved", func(t *testing.T, repo string) string {
			try(t, os.Rename(repo, repo+"-moved"))
			return repo + "-moved"
		}, nil, false},
		{"copied", copied, nil, true},
		{"copied, and named", copied, []string{"SLIPWAY_HOME=REPO/.slipway"}, false},
		{"from the cache of a job", copied, []string{"GITHUB_ACTIONS=true", "GITHUB_WORKSPACE=REPO"}, false},
		{"another folder is named", copied, []string{"SLIPWAY_HOME=/var/lib/slipway"}, false},
		{"empty", func(t *testing.T, repo string) string {
			try(t, os.RemoveAll(filepath.Join(repo, ".slipway")))
			try(t, os.Mkdir(filepath.Join(repo, ".slipway"), 0o755))
			return repo
		}, nil, false},
		{"folders to mount disks on", func(t *testing.T, repo string) string {
			try(t, os.RemoveAll(filepath.Join(repo, ".slipway")))
			try(t, os.MkdirAll(filepath.Join(repo, ".slipway", "registry"), 0o755))
			return repo
		}, nil, false},
		{"not there", func(t *testing.T, repo string) string {
			try(t, os.RemoveAll(filepath.Join(repo, ".slipway")))
			return repo
		}, nil, false},
		{"without a mark", func(t *testing.T, repo string) string {
			try(t, os.Remove(filepath.Join(repo, ".slipway", originFile)))
			return repo
		}, nil, true},
		{"a link to a copy", func(t *testing.T, repo string) string {
			other := copied(t, repo)
			try(t, os.RemoveAll(filepath.Join(repo, ".slipway")))
			try(t, os.Symlink(filepath.Join(other, ".slipway"), filepath.Join(repo, ".slipway")))
			return repo
		}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			repo := filepath.Join(t.TempDir(), "repo")
			try(t, os.Mkdir(repo, 0o755))
			try(t, os.WriteFile(filepath.Join(repo, "slipway.yaml"), nil, 0o644))
			try(t, prepareHome(filepath.Join(repo, ".slipway")))
			repo = c.change(t, repo)
			var environ []string
			for _, kv := range c.environ {
				environ = append(environ, strings.Replace(kv, "REPO", repo, 1))
			}
			_, err := (&App{Dir: repo, Environ: environ}).findWorkspace(t.Context())
			if fault.Is(err, fault.Denied) != c.denied || err != nil && !c.denied {
				t.Fatalf("error = %v, want it denied: %v", err, c.denied)
			}
			if c.denied {
				if hint := fault.HintOf(err); !strings.Contains(hint, "SLIPWAY_HOME="+filepath.Join(repo, ".slipway")) {
					t.Errorf("hint = %q, want how to name it", hint)
				}
				return
			}
			if len(environ) == 1 && strings.HasPrefix(environ[0], "SLIPWAY_HOME="+repo) {
				if _, err := (&App{Dir: repo}).findWorkspace(t.Context()); err != nil {
					t.Errorf("after it was named: %v", err)
				}
			}
		})
	}
}

// copied is another repository with the same state, as an archive brings it.
func copied(t *testing.T, repo string) string {
	t.Helper()
	try(t, os.CopyFS(repo+"-copy", os.DirFS(repo)))
	return repo + "-copy"
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
