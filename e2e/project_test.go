//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envSecret is a secret that the commands of the tiny service print on purpose.
const envSecret = "e2e-planted-secret-7c1f93"

// project is a repository with its own state, services and processes.
type project struct {
	t           *testing.T
	program     string // of Slipway; empty: binary()
	base        string // folder of everything; names it in process lists too
	dir         string // the repository
	home        string // Slipway's state
	trainingLog string // what training commands leave behind
	env         []string
	credential  *syscall.Credential // whom commands run as; nil: who runs the tests
	wrapper     []string            // the command that runs Slipway; empty: none does
	machines    *machines           // each command runs on another one; nil: all run in dir
	results     []result            // every finished command, for the post-mortem
}

// newTinyProject is a repository with the tiny service, committed on main.
func newTinyProject(t *testing.T) *project {
	t.Helper()
	p := newProject(t)
	p.must(os.CopyFS(p.dir, os.DirFS("testdata/tiny")))
	// The replicas carry the folder's name, so that they are found in process lists.
	p.edit("slipway.yaml", `env: {ROUND: "0"}`, fmt.Sprintf(`env: {ROUND: "0", E2E_BASE: %s}`, p.base))
	p.git("init", "-q", "-b", "main")
	p.commit("the tiny service")
	return p
}

// rename gives the tiny service a name of its own, and so a port of its own: services of
// other tests would take the port while nothing listens on it.
func (p *project) rename(service string) {
	p.t.Helper()
	p.edit("slipway.yaml", "service: tiny", "service: "+service)
	p.commit("rename the service")
}

// newProject is an empty repository with its own home, state and environment.
func newProject(t *testing.T) *project {
	t.Helper()
	base, err := os.MkdirTemp("", "slipway-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	p := &project{
		t: t, base: base, dir: filepath.Join(base, "repo"),
		home: filepath.Join(base, "repo", ".slipway"), trainingLog: filepath.Join(base, "trainings"),
	}
	p.env = append(environ(), "E2E_SIDE="+p.trainingLog, "E2E_TOKEN="+envSecret, "SLIPWAY_CACHE_DIR="+p.cache())
	t.Cleanup(p.cleanup)
	p.must(os.Chmod(base, 0o755))
	p.must(os.Mkdir(p.dir, 0o755))
	return p
}

// cache is the folder of the caches of all projects.
func (p *project) cache() string { return filepath.Join(p.base, "cache") }

// environ is the environment of every command: the caller's, without variables that
// would change the results.
func environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		strange := slices.ContainsFunc([]string{"SLIPWAY_", "GITHUB_", "GITLAB_", "JENKINS_", "BUILD_ID", "GIT_", "E2E_", "CI", "DATA", "AWS_", "AZURE_", "STORAGE_EMULATOR_", "PG"}, func(p string) bool {
			return strings.HasPrefix(name, p)
		})
		if !strange {
			env = append(env, kv)
		}
	}
	return append(env, "SLIPWAY_ACTOR=tester", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Tester", "GIT_AUTHOR_EMAIL=t@example.com",
		"GIT_COMMITTER_NAME=Tester", "GIT_COMMITTER_EMAIL=t@example.com")
}

func (p *project) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	if p.credential != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits everything and returns the commit.
func (p *project) commit(message string) string {
	p.t.Helper()
	p.git("add", "-A")
	p.git("commit", "-q", "--allow-empty", "-m", message)
	return p.git("rev-parse", "HEAD")
}

// write replaces a file of the repository.
func (p *project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	p.must(os.MkdirAll(filepath.Dir(path), 0o755))
	p.must(os.WriteFile(path, []byte(text), 0o644))
	if p.credential != nil {
		p.must(os.Chown(path, int(p.credential.Uid), int(p.credential.Gid)))
	}
}

// edit replaces the only occurrence of text in a file.
func (p *project) edit(name, text, with string) {
	p.t.Helper()
	old := p.read(filepath.Join(p.dir, name))
	if n := strings.Count(old, text); n != 1 {
		p.t.Fatalf("%s holds %q %d times, not once", name, text, n)
	}
	p.write(name, strings.Replace(old, text, with, 1))
}

func (p *project) read(path string) string {
	p.t.Helper()
	text, err := os.ReadFile(path)
	p.must(err)
	return string(text)
}

// subtest runs one of several tests that share a project, in order.
func (p *project) subtest(name string, run func()) bool {
	parent := p.t
	return parent.Run(name, func(t *testing.T) {
		p.t = t
		defer func() { p.t = parent }()
		run()
	})
}

// setBehaviour changes the behaviour of the service in its code, and commits it.
func (p *project) setBehaviour(how string) string {
	p.t.Helper()
	p.write("behaviour.go", "package main\n\nconst behaviour = \""+how+"\"\n")
	return p.commit("behave: " + how)
}

// trainingLines returns what the training commands logged: "begin DIR", "end DIR".
func (p *project) trainingLines() []string {
	p.t.Helper()
	text, err := os.ReadFile(p.trainingLog)
	if os.IsNotExist(err) {
		return nil
	}
	p.must(err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// cleanup stops what the test started, and reports what does not stop.
func (p *project) cleanup() {
	if _, err := os.Stat(filepath.Join(p.dir, "slipway.yaml")); err == nil && len(p.results) > 0 {
		p.down()
	}
	p.killAll()
	if p.t.Failed() {
		p.logDiagnostics()
	}
	if err := removeTree(p.base); err != nil {
		p.t.Logf("remove %s: %v", p.base, err)
	}
}

// removeTree removes a folder with what it contains, which may be read-only.
func removeTree(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o755) // fetched models are read-only
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func (p *project) down() {
	if r := p.slipway("down", "--all"); r.code != 0 {
		p.t.Errorf("slipway down --all: exit %d\n%s", r.code, r.stderr)
	}
	left := p.eventually(10*time.Second, func() bool { return len(p.processes("SLIPWAY_RELEASE=")) == 0 })
	if !left {
		p.t.Errorf("processes after slipway down: %v, want none", p.processes("SLIPWAY_RELEASE="))
	}
}

// eventually waits until ok returns true, and reports whether it did in time.
func (p *project) eventually(within time.Duration, ok func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}
