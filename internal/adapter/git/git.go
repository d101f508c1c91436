// Package git implements port.Source with the git binary.
//
// The source is the folder that contains slipway.yaml. If it is a subfolder of a
// larger repository, its own tree is what is deployed: paths are relative to it,
// and changes outside it are ignored, but for the files that Also names. With them,
// the tree is laid out as the repository is, with the folder in its place.
//
// Files that Git LFS keeps elsewhere are checked out with their content, as far as
// the clone has it or git-lfs can download it.
//
// Submodules are checked out at the commit that the tree records, from their clones in
// the user's clone.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// Source is the service's folder in a git working tree.
type Source struct {
	Dir     string // absolute; the folder of slipway.yaml
	Program string // default "git"
	Scratch string // absolute; where the objects of uncommitted changes go. Empty: the repository

	Also []string // globs of files beside Dir that belong to the service, such as ../lib/**

	// guard returns variables that keep git from running filters of the repository; nil:
	// it runs them.
	guard func(context.Context) ([]string, error)

	gitDir string // of a submodule's clone; empty: that of the working tree
}

var (
	_ port.ScratchSource = Source{}
	_ port.TreeChecker   = Source{}
	_ port.FolderSource  = Source{}
	_ port.BranchReader  = Source{}
)

// New returns the source in dir without accessing it.
func New(dir string) Source { return Source{Dir: dir} }

// stateDir is never part of a tree made from the working tree.
const stateDir = ".slipway"

// waitDelay is how long git may take to end once its context has.
const waitDelay = time.Second

// safeArgs keep a repository from running programs, and git from prompting.
var safeArgs = []string{
	"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
	"-c", "core.quotePath=false", "-c", "advice.addEmbeddedRepo=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
	"-c", "submodule.recurse=false", "-c", "protocol.allow=never", "--no-pager", "--no-optional-locks",
}

// command is one invocation of git.
type command struct {
	dir  string
	env  []string // on top of the clean environment
	args []string
	in   []byte

	config []string  // "name=value", on top of the repository's
	out    io.Writer // nil: run returns it

	userObjects bool // without the objects in the scratch folder
	fetches     bool // from a server: its helpers get what they sign in with
}

// options are the options before the name of the command.
func (c command) options() []string {
	all := slices.Clone(safeArgs)
	for _, setting := range c.config {
		all = append(all, "-c", setting)
	}
	return all
}

// exitError is a git command that exited with a non-zero status.
type exitError struct {
	command string
	code    int
	stderr  string
}

func (f *exitError) Error() string {
	if f.stderr == "" {
		return fmt.Sprintf("git %s: exit status %d", f.command, f.code)
	}
	return fmt.Sprintf("git %s: %s", f.command, f.stderr)
}

// run returns the standard output of git. A non-zero exit status is an
// *exitError.
func (s Source) run(ctx context.Context, c command) (string, error) {
	program := s.Program
	if program == "" {
		program = "git"
	}
	var guard []string
	if s.guard != nil {
		var err error
		if guard, err = s.guard(ctx); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, program, append(c.options(), c.args...)...)
	environ := cleanEnviron(os.Environ(), c.fetches)
	if s.gitDir != "" {
		environ = append(environ, "GIT_DIR="+s.gitDir)
	}
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, slices.Concat(environ, guard, c.env), bytes.NewReader(c.in)
	if !c.userObjects && s.hasScratch() {
		cmd.Env = append(cmd.Env, "GIT_OBJECT_DIRECTORY="+s.scratchObjects())
	}
	out, stderr := limitedBuffer{max: maxOutput}, limitedBuffer{max: maxErrors, leaving: true}
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if c.out != nil {
		cmd.Stdout = c.out
	}
	cmd.ExtraFiles = flock.Inherited(ctx)
	// git removes what it has begun when it is asked to end. Its helpers, such as
	// git-remote-https, do not end with it, and hold the pipes while a server is silent.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.full: // git has ended for it
		return "", fault.New(fault.Exhausted, "git %s: it printed more than %d bytes", c.args[0], maxOutput).
			Hint("a repository with so many files can't be deployed: name the folder of the service")
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("git %s: %w", c.args[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound):
		return "", fault.New(fault.Unavailable, "run git").Hint("install git: slipway deploys from git repositories").Cause(err)
	case errors.As(err, &exit):
		return "", &exitError{command: c.args[0], code: exit.ExitCode(), stderr: firstLine(stderr.String())}
	}
	return "", fmt.Errorf("git %s: %w", c.args[0], err)
}

func (s Source) scratchObjects() string { return filepath.Join(s.Scratch, "objects") }

// hasScratch reports whether there are objects in the scratch folder.
func (s Source) hasScratch() bool {
	if s.Scratch == "" {
		return false
	}
	_, err := os.Stat(s.scratchObjects())
	return err == nil
}

func firstLine(s string) string {
	for line := range strings.Lines(strings.TrimSpace(s)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "hint:") && !strings.HasPrefix(line, "warning:") {
			return strings.TrimPrefix(line, "fatal: ")
		}
	}
	return ""
}

// maxNamedFiles is how many files an error names.
const maxNamedFiles = 5

// nameFiles lists files for an error.
func nameFiles(paths []string) string {
	if more := len(paths) - maxNamedFiles; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(paths[:maxNamedFiles], ", "), more)
	}
	return strings.Join(paths, ", ")
}

var objectPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// validateObject checks the ID of a tree before it is used on a command line.
func validateObject(name string) error {
	if objectPattern.MatchString(name) {
		return nil
	}
	return fault.New(fault.NotFound, "%q is not a valid git tree ID", name)
}

// explainMissingTree replaces err with one that names the missing tree, if one is
// missing.
func (s Source) explainMissingTree(ctx context.Context, err error, trees ...string) error {
	var f *exitError
	if !errors.As(err, &f) {
		return err
	}
	for _, tree := range trees {
		if _, missing := s.run(ctx, command{dir: s.Dir, args: []string{"cat-file", "-e", tree + "^{tree}"}}); missing != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("find tree %s: %w", tree, context.Cause(ctx))
			}
			return fault.New(fault.NotFound, "tree %s not found in the repository", tree).Cause(err).
				Hint("a shallow clone lacks history; run `git fetch --unshallow`")
		}
	}
	return err
}

// repository locates the source's folder in its repository.
type repository struct {
	prefix  string // of the folder: "" or "services/api/"
	index   string // absolute
	objects string // absolute
}
