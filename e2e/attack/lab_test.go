//go:build linux

package attack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The users of the tests beside the one that runs them.
const (
	victimUID   = 54001
	attackerUID = 54002
)

// commandTimeout is the longest that a command may take.
const commandTimeout = time.Minute

// lab is a repository with the tiny service, its state and a user. All that it
// starts carries its folder in the command line, environment or working folder,
// and ends with the test.
type lab struct {
	t          *testing.T
	base       string // everything below belongs to this test; mode 0755
	repo       string // the repository: tiny, committed on main
	state      string // Slipway's state folder, repo/.slipway; Slipway makes it
	home       string // the user's HOME, empty
	env        []string
	credential *syscall.Credential // whom commands run as; nil: who runs the tests
}

// newLab returns a lab of the user that runs the tests.
func newLab(t *testing.T) *lab {
	t.Helper()
	base, err := os.MkdirTemp("", "slipway-attack-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{
		t: t, base: base, repo: filepath.Join(base, "repo"),
		state: filepath.Join(base, "repo", ".slipway"), home: filepath.Join(base, "home"),
	}
	t.Cleanup(l.cleanup)
	l.must(os.Chmod(base, 0o755))
	l.must(os.Mkdir(l.home, 0o755))
	l.must(os.CopyFS(l.repo, os.DirFS("../testdata/tiny")))
	l.env = l.environ(goEnv(t, "GOCACHE"), goEnv(t, "GOMODCACHE"))
	l.edit("slipway.yaml", `env: {ROUND: "0"}`, fmt.Sprintf(`env: {ROUND: "0", E2E_BASE: %s}`, base))
	l.git("init", "-q", "-b", "main")
	l.commit("the tiny service")
	return l
}

// environ is the whole environment of commands: nothing is inherited but PATH.
func (l *lab) environ(buildCache, moduleCache string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.home, "LANG=C.UTF-8", "USER=lab", "LOGNAME=lab",
		"GOCACHE=" + buildCache, "GOMODCACHE=" + moduleCache, "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES=" + l.base,
		"GIT_AUTHOR_NAME=Lab", "GIT_AUTHOR_EMAIL=lab@example.com", "GIT_COMMITTER_NAME=Lab", "GIT_COMMITTER_EMAIL=lab@example.com",
		"E2E_SIDE=" + filepath.Join(l.base, "trainings"), "E2E_TOKEN=planted-secret-51d0c2",
		"SLIPWAY_ACTOR=lab", "SLIPWAY_CACHE_DIR=" + filepath.Join(l.base, "cache"),
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// as returns the lab as another user sees it, with a HOME and caches of its own.
// Files keep their owners: see give. It takes root, and skips the test without it.
func (l *lab) as(uid int) *lab {
	l.t.Helper()
	if os.Geteuid() != 0 {
		l.t.Skip("only root can run commands as two users")
	}
	other := *l
	other.home = filepath.Join(l.base, "home-"+strconv.Itoa(uid))
	other.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	other.env = append(other.environ(filepath.Join(other.home, "go-build"), goEnv(l.t, "GOMODCACHE")), "TMPDIR="+other.home)
	if err := os.Mkdir(other.home, 0o700); err == nil {
		l.must(os.Lchown(other.home, uid, uid))
	}
	return &other
}

// give makes the lab's user the owner of a path with everything below.
func (l *lab) give(path string) {
	l.t.Helper()
	uid, gid := os.Getuid(), os.Getgid()
	if l.credential != nil {
		uid, gid = int(l.credential.Uid), int(l.credential.Gid)
	}
	l.must(filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	}))
}

// with returns the lab with more variables in its environment, as NAME=VALUE.
func (l *lab) with(variables ...string) *lab {
	other := *l
	other.env = slices.Concat(l.env, variables)
	return &other
}

// in returns the lab with another folder to run commands in.
func (l *lab) in(dir string) *lab {
	other := *l
	other.repo = dir
	return &other
}

// result is a finished command.
type result struct {
	t              *testing.T
	command        []string
	code           int // 128+n when killed by signal n
	stdout, stderr string
}

// slipway runs a command of Slipway to its end.
func (l *lab) slipway(args ...string) result {
	l.t.Helper()
	return l.run(append([]string{os.Getenv(programEnv)}, args...)...)
}

// attacker runs one of attackers() to its end.
func (l *lab) attacker(name string, args ...string) result {
	l.t.Helper()
	program := filepath.Join(filepath.Dir(os.Getenv(programEnv)), "attacker")
	return l.with(attackerEnv + "=" + name).run(append([]string{program}, args...)...)
}

// run runs any program in the repository to its end.
func (l *lab) run(command ...string) result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := l.command(ctx, command...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) && !errors.Is(err, exec.ErrWaitDelay) {
		l.t.Fatalf("%q: %v", command, err)
	}
	return result{l.t, command, exitCode(cmd.ProcessState), stdout.String(), stderr.String()}
}

// start starts any program in the repository; the test's end kills it.
func (l *lab) start(command ...string) *exec.Cmd {
	l.t.Helper()
	cmd := l.command(context.Background(), command...)
	l.must(cmd.Start())
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func (l *lab) command(ctx context.Context, command ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = l.repo, l.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: l.credential}
	cmd.WaitDelay = time.Second // a child may keep the output open
	return cmd
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

func (r result) String() string {
	return fmt.Sprintf("$ %s\n%s%s[exit %d]", strings.Join(r.command, " "), r.stdout, r.stderr, r.code)
}

// wantExit checks the exit code.
func (r result) wantExit(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("exit %d, want %d\n%s", r.code, code, r)
	}
	return r
}

// wantText checks that the output contains each text.
func (r result) wantText(texts ...string) result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			r.t.Fatalf("the output lacks %q\n%s", text, r)
		}
	}
	return r
}

// wantNoText checks that the output contains none of the texts.
func (r result) wantNoText(texts ...string) result {
	r.t.Helper()
	for _, text := range texts {
		if strings.Contains(r.stdout+r.stderr, text) {
			r.t.Fatalf("the output contains %q\n%s", text, r)
		}
	}
	return r
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// git runs git in the repository and returns its output.
func (l *lab) git(args ...string) string {
	l.t.Helper()
	return strings.TrimSpace(l.run(append([]string{"git"}, args...)...).wantExit(0).stdout)
}

// commit commits everything and returns the commit.
func (l *lab) commit(message string) string {
	l.t.Helper()
	l.git("add", "-A")
	l.git("commit", "-q", "--allow-empty", "-m", message)
	return l.git("rev-parse", "HEAD")
}
