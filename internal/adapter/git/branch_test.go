package git_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/git"
)

// TestSource_ReadBranch: a file as a branch of the repository that was cloned has it,
// also of a service in a folder, whatever is checked out and changed.
func TestSource_ReadBranch(t *testing.T) {
	for _, folder := range []string{"", "services/api"} {
		t.Run("folder "+folder, func(t *testing.T) {
			origin := newRepository(t, folder)
			commitFile(t, origin.Dir, "slipway.yaml", "state: a\n")
			runGit(t, origin.Dir, "checkout", "-q", "-b", "develop")
			commitFile(t, origin.Dir, "slipway.yaml", "state: b\n")
			runGit(t, origin.Dir, "checkout", "-q", "main")
			top := filepath.Join(t.TempDir(), "clone")
			root := origin.Dir
			if folder != "" {
				root = filepath.Dir(filepath.Dir(origin.Dir))
			}
			runGit(t, t.TempDir(), "clone", "-q", root, top)
			dir := filepath.Join(top, folder)
			runGit(t, dir, "checkout", "-q", "-b", "topic")
			if err := os.WriteFile(filepath.Join(dir, "slipway.yaml"), []byte("state: mine\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				branch, path, content, name string
				ok                          bool
			}{
				{"", "slipway.yaml", "state: a\n", "origin/main", true},
				{"main", "slipway.yaml", "state: a\n", "origin/main", true},
				{"develop", "slipway.yaml", "state: b\n", "origin/develop", true},
				{"main", "nothing.yaml", "", "origin/main", false},
				{"topic", "slipway.yaml", "", "", false},
				{"--all", "slipway.yaml", "", "", false},
			} {
				content, name, ok, err := git.New(dir).ReadBranch(t.Context(), c.branch, c.path)
				if err != nil || string(content) != c.content || name != c.name || ok != c.ok {
					t.Errorf("ReadBranch(%q, %q) = %q, %q, %v, %v, want %q, %q, %v", c.branch, c.path, content, name, ok, err, c.content, c.name, c.ok)
				}
			}
			if content, name, ok, err := git.New(origin.Dir).ReadBranch(t.Context(), "", "slipway.yaml"); err != nil || ok || name != "" {
				t.Errorf("in a repository without origin: %q, %q, %v, %v, want nothing", content, name, ok, err)
			}
		})
	}
}

func commitFile(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "add", name)
	runGit(t, dir, "commit", "-q", "-m", "Change "+name)
}
