package git_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/git"
)

// TestScratch_RunsNoFilters: a filter that the repository's configuration names runs in
// no preview, also that of a submodule, and one of the user's own does.
func TestScratch_RunsNoFilters(t *testing.T) {
	for _, c := range []struct {
		name string
		at   string // whose configuration has the filter
		runs bool
	}{
		{name: "repository", at: "."},
		{name: "submodule", at: "lib"},
		{name: "user", runs: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepository(t, "")
			lib := newRepository(t, "")
			write(t, filepath.Join(lib.Dir, ".gitattributes"), "* filter=x\n")
			lib.Commit(t)
			runGit(t, r.Dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", lib.Dir, "lib")
			write(t, filepath.Join(r.Dir, ".gitattributes"), "* filter=x\n")
			r.Commit(t)
			mark := filepath.Join(t.TempDir(), "ran")
			filter := "sh -c 'echo >>" + mark + "; cat'"
			if c.runs {
				config := filepath.Join(t.TempDir(), "gitconfig")
				runGit(t, r.Dir, "config", "--file", config, "filter.x.clean", filter)
				t.Setenv("GIT_CONFIG_GLOBAL", config)
			} else {
				runGit(t, filepath.Join(r.Dir, c.at), "config", "filter.x.clean", filter)
			}
			later := time.Now().Add(time.Hour)
			for _, path := range []string{"first", "lib/first"} { // git has to compare them
				if err := os.Chtimes(filepath.Join(r.Dir, path), later, later); err != nil {
					t.Fatal(err)
				}
			}
			for _, allowDirty := range []bool{false, true} {
				if _, err := git.New(r.Dir).WithScratch(t.TempDir()).Head(t.Context(), allowDirty); err != nil {
					t.Fatal(err)
				}
			}
			_, err := os.Stat(mark)
			if ran := err == nil; ran != c.runs {
				t.Errorf("the filter ran: %v, want %v", ran, c.runs)
			}
		})
	}
}

func TestGuard_Tracked(t *testing.T) {
	r := newRepository(t, "services/api")
	guard := git.Guard{}
	for _, c := range []struct{ name, dir, want string }{
		{"nothing", r.Dir, ""},
		{"no repository", t.TempDir(), ""},
	} {
		if got, err := guard.Tracked(t.Context(), c.dir, ".slipway"); got != c.want || err != nil {
			t.Errorf("%s: tracked = %q, error = %v, want %q", c.name, got, err, c.want)
		}
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(r.Dir, ".slipway")); err != nil {
		t.Fatal(err)
	}
	r.Commit(t)
	if got, err := guard.Tracked(t.Context(), r.Dir, ".slipway"); got != ".slipway" || err != nil {
		t.Errorf("a link: tracked = %q, error = %v, want it", got, err)
	}
	if err := os.Remove(filepath.Join(r.Dir, ".slipway")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.Dir, ".slipway", "local", "state.json"), "{}")
	runGit(t, r.Dir, "add", "--force", ".slipway")
	if got, err := guard.Tracked(t.Context(), r.Dir, ".slipway"); got != ".slipway/local/state.json" || err != nil {
		t.Errorf("a file: tracked = %q, error = %v, want it", got, err)
	}
}

func TestGuard_SafeDirectories(t *testing.T) {
	config := filepath.Join(t.TempDir(), "gitconfig")
	write(t, config, "[safe]\n\tdirectory = /dropped\n\tdirectory =\n\tdirectory = /srv/a\n\tdirectory = ~/b\n")
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	t.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	t.Setenv("HOME", "/home/dev")
	got, err := git.Guard{}.SafeDirectories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/srv/a", "/home/dev/b"}, got); diff != "" {
		t.Errorf("safe directories (-want +got):\n%s", diff)
	}
	write(t, config, "")
	if got, err := (git.Guard{}).SafeDirectories(t.Context()); len(got) > 0 || err != nil {
		t.Errorf("safe directories = %q, error = %v, want none", got, err)
	}
}
