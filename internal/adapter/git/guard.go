package git

import (
	"context"
	"errors"
	"iter"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Guard looks at folders before the project in them is trusted.
type Guard struct {
	Program string // default "git"
}

// SafeDirectories returns the values of safe.directory in the system's and the user's
// configuration, and in the environment; those of a repository don't count. As for git,
// an empty value drops the ones before it.
func (g Guard) SafeDirectories(ctx context.Context) ([]string, error) {
	root := Source{Dir: "/", Program: g.Program}
	out, err := root.run(ctx, command{dir: "/", args: []string{"config", "--show-scope", "--type=path", "-z", "--get-all", "safe.directory"}})
	if err != nil {
		return nil, ifRepositoryLacks(err)
	}
	var all []string
	for value, ofRepository := range settings(out) {
		switch {
		case ofRepository:
		case value == "":
			all = nil
		default:
			all = append(all, value)
		}
	}
	return all, nil
}

// settings are those that `git config --show-scope -z` prints, each with whether the
// configuration of the repository has it.
func settings(out string) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
		for i := 0; i+1 < len(fields); i += 2 {
			if scope := fields[i]; !yield(fields[i+1], scope == "local" || scope == "worktree") {
				return
			}
		}
	}
}

// Tracked returns a path of the folder that the repository of dir tracks, or "".
func (g Guard) Tracked(ctx context.Context, dir, folder string) (string, error) {
	s := Source{Dir: dir, Program: g.Program}
	// Nothing but the index is read, so that the owner of the repository does not matter.
	out, err := s.run(ctx, command{dir: dir, config: []string{"safe.directory=*"}, args: []string{
		"ls-files", "-z", "--cached", "--", ":(literal)" + filepath.ToSlash(folder),
	}})
	if err != nil {
		return "", ifRepositoryLacks(err)
	}
	first, _, _ := strings.Cut(out, "\x00")
	return first, nil
}

// ifRepositoryLacks drops the errors of a git that has nothing to report, or is not
// there.
func ifRepositoryLacks(err error) error {
	if f := (*exitError)(nil); errors.As(err, &f) || errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	if fault.Is(err, fault.Unavailable) {
		return nil
	}
	return err
}
