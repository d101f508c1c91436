package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/git"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

func TestSource_Conformance(t *testing.T) {
	porttest.TestSource(t, func(t *testing.T) porttest.SourceFixture { return newRepository(t, "") })
}

// TestSource_ConformanceInSubfolder: the service is a folder of a larger
// repository.
func TestSource_ConformanceInSubfolder(t *testing.T) {
	porttest.TestSource(t, func(t *testing.T) porttest.SourceFixture { return newRepository(t, "services/the api") })
}

// TestSource_ConformanceWithHostileSettings: the repository has settings that
// would change results or run programs.
func TestSource_ConformanceWithHostileSettings(t *testing.T) {
	porttest.TestSource(t, func(t *testing.T) porttest.SourceFixture {
		r := newRepository(t, "")
		witness := filepath.Join(t.TempDir(), "ran")
		for key, value := range map[string]string{
			"core.autocrlf": "true", "core.fsmonitor": "touch " + witness, "core.hooksPath": ".hooks",
			"status.showUntrackedFiles": "no", "core.quotePath": "true", "diff.renames": "copies",
			"diff.external": "touch " + witness, "color.ui": "always", "core.pager": "touch " + witness,
			"log.showSignature": "true", "diff.noprefix": "true", "clean.requireForce": "true",
			"status.renames": "copies", "status.relativePaths": "false", "submodule.recurse": "true",
			"core.safecrlf": "false",
		} {
			runGit(t, r.Dir, "config", key, value)
		}
		t.Setenv("GIT_DIR", "/nowhere")
		t.Setenv("GIT_INDEX_FILE", "/nowhere/index")
		t.Cleanup(func() {
			if _, err := os.Stat(witness); err == nil {
				t.Error("a program that the repository names was run")
			}
		})
		return r
	})
}

// newRepository creates a repository with one commit; the service is in a folder
// of it.
func newRepository(t *testing.T, folder string) porttest.SourceFixture {
	t.Helper()
	top := t.TempDir()
	runGit(t, top, "init", "-q", "-b", "main")
	runGit(t, top, "config", "user.email", "dev@example.com")
	runGit(t, top, "config", "user.name", "Dev")
	dir := filepath.Join(top, folder)
	write(t, filepath.Join(dir, "first"), "first")
	if folder != "" {
		write(t, filepath.Join(top, "beside"), "beside")
		write(t, filepath.Join(top, "services", "other", "file"), "other")
	}
	commit := func(t *testing.T) {
		runGit(t, top, "add", "-A", "-f", "--", ".", ":(exclude,glob)**/ignored", ":(exclude,glob)**/.slipway/**")
		runGit(t, top, "commit", "-q", "-m", "change")
	}
	commit(t)
	if folder != "" { // changes outside the service are ignored
		write(t, filepath.Join(top, "beside"), "changed")
		write(t, filepath.Join(top, "services", "other", "new"), "new")
	}
	return porttest.SourceFixture{Source: git.New(dir), Dir: dir, Commit: commit}
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.autocrlf=false"}, args...)...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "GIT_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestHead_Errors(t *testing.T) {
	bare := t.TempDir()
	runGit(t, bare, "init", "-q", "--bare")
	empty := t.TempDir()
	runGit(t, empty, "init", "-q")
	merging := newRepository(t, "").Dir
	runGit(t, merging, "checkout", "-q", "-b", "other")
	write(t, filepath.Join(merging, "first"), "theirs")
	runGit(t, merging, "commit", "-q", "-a", "-m", "theirs")
	runGit(t, merging, "checkout", "-q", "main")
	write(t, filepath.Join(merging, "first"), "ours")
	runGit(t, merging, "commit", "-q", "-a", "-m", "ours")
	merge := exec.Command("git", "merge", "other")
	merge.Dir = merging
	_ = merge.Run() // fails with the intended conflict
	ignored := newRepository(t, "").Dir
	write(t, filepath.Join(ignored, ".gitignore"), "svc\n")
	write(t, filepath.Join(ignored, "svc", "slipway.yaml"), "x")
	runGit(t, ignored, "add", ".gitignore")
	runGit(t, ignored, "commit", "-q", "-m", "ignore")

	cases := []struct {
		name, dir  string
		kind       fault.Kind
		text, hint string
	}{
		{"no repository", t.TempDir(), fault.Invalid, "not in a git repository", "git init"},
		{"bare", bare, fault.Invalid, "not in a git working tree", "clone"},
		{"no commit", empty, fault.Invalid, "no commit yet", "git commit"},
		{"merge", merging, fault.Conflict, "first has merge conflicts", "finish the merge"},
		{"ignored folder", filepath.Join(ignored, "svc"), fault.Invalid, "folder svc not found", ".gitignore"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := git.New(c.dir).Head(t.Context(), true)
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("error = %v (hint %q), want %s: %s", err, fault.HintOf(err), c.kind, c.text)
			}
		})
	}
	_, err := git.Source{Dir: empty, Program: "no-such-git"}.Head(t.Context(), false)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.HintOf(err), "install git") {
		t.Errorf("without git: %v", err)
	}
}

func TestHead_Fields(t *testing.T) {
	for remote, want := range map[string]string{
		"": "",
		"https://user:token@host.example/r.git?private=1": "https://host.example/r.git",
		"git@host.example:team/r.git":                     "git@host.example:team/r.git",
		"ssh://git:pw@host.example/r.git":                 "ssh://host.example/r.git",
		"/srv/git/r.git":                                  "/srv/git/r.git",
	} {
		r := newRepository(t, "")
		if remote != "" {
			runGit(t, r.Dir, "remote", "add", "origin", remote)
		}
		runGit(t, r.Dir, "checkout", "-q", "-b", "odd/$(id)&branch", "--")
		c, err := r.Source.Head(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if c.Branch != "odd/$(id)&branch" {
			t.Errorf("branch %q", c.Branch)
		}
		if c.Source != want {
			t.Errorf("%s: source %q, want %q", remote, c.Source, want)
		}
		if sha := runGit(t, r.Dir, "rev-parse", "HEAD"); c.SHA != sha {
			t.Errorf("commit %s, want %s", c.SHA, sha)
		}
		if age := time.Since(c.Time); age < -time.Minute || age > time.Hour {
			t.Errorf("committed at %s", c.Time)
		}
	}
	r := newRepository(t, "")
	runGit(t, r.Dir, "checkout", "-q", "--detach")
	if c, err := r.Source.Head(t.Context(), false); err != nil || c.Branch != "" {
		t.Errorf("detached: branch %q, %v", c.Branch, err)
	}
}

// TestHead_DoesNotChangeTheUsersIndex compares the user's index byte for byte.
func TestHead_DoesNotChangeTheUsersIndex(t *testing.T) {
	r := newRepository(t, "")
	index := filepath.Join(r.Dir, ".git", "index")
	write(t, filepath.Join(r.Dir, "staged"), "1")
	runGit(t, r.Dir, "add", "staged")
	write(t, filepath.Join(r.Dir, "first"), "changed")
	before, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Source.Head(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Source.Checkout(t.Context(), c.Tree, filepath.Join(t.TempDir(), "out")); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(index)
	if err != nil || string(before) != string(after) {
		t.Errorf("the index changed (%v)", err)
	}
}

// TestCheckout_IgnoresAttributes: a checkout has the committed bytes.
func TestCheckout_IgnoresAttributes(t *testing.T) {
	r := newRepository(t, "")
	ran := filepath.Join(t.TempDir(), "ran")
	runGit(t, r.Dir, "config", "filter.evil.smudge", "touch "+ran)
	write(t, filepath.Join(r.Dir, ".gitattributes"), "*.txt eol=crlf\n*.id ident\n*.evil filter=evil\n")
	write(t, filepath.Join(r.Dir, "a.txt"), "one\ntwo\n")
	write(t, filepath.Join(r.Dir, "b.id"), "$Id$\n")
	write(t, filepath.Join(r.Dir, "c.evil"), "evil\n")
	r.Commit(t)
	c, err := r.Source.Head(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := r.Source.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.txt": "one\ntwo\n", "b.id": "$Id$\n", "c.evil": "evil\n"} {
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the repository's filter was run")
	}
}

// TestSource_InLinkedWorktree: a linked working tree is a source like any other.
func TestSource_InLinkedWorktree(t *testing.T) {
	r := newRepository(t, "")
	linked := filepath.Join(t.TempDir(), "linked")
	runGit(t, r.Dir, "worktree", "add", "-q", linked)
	write(t, filepath.Join(linked, "new"), "1")
	s := git.New(linked)
	c, err := s.Head(t.Context(), true)
	if err != nil || !c.Dirty || c.Branch != "linked" {
		t.Fatalf("dirty %v on branch %q, %v; want a dirty commit on linked", c.Dirty, c.Branch, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := s.Checkout(t.Context(), c.Tree, out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "new")); err != nil {
		t.Error(err)
	}
}

func BenchmarkHeadAndFiles(b *testing.B) {
	dir, err := filepath.Abs("../../../examples")
	if err != nil {
		b.Fatal(err)
	}
	s := git.New(dir)
	for b.Loop() {
		c, err := s.Head(b.Context(), true)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Files(b.Context(), c.Tree); err != nil {
			b.Fatal(err)
		}
	}
}
