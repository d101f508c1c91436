package git

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Head returns the commit that is checked out; see port.Source. Its Tree is the
// tree of the source's folder.
func (s Source) Head(ctx context.Context, allowDirty bool) (delivery.Commit, error) {
	repo, err := s.openRepository(ctx)
	if err != nil {
		return delivery.Commit{}, err
	}
	var (
		commit  delivery.Commit
		changes status
		remote  string
		errs    [3]error
		all     sync.WaitGroup
	)
	all.Go(func() { commit, errs[0] = s.commit(ctx, repo) })
	all.Go(func() { changes, errs[1] = s.status(ctx, repo) })
	all.Go(func() { remote, errs[2] = s.remote(ctx) })
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return delivery.Commit{}, fmt.Errorf("read the repository: %w", err)
	}
	if changes.unborn {
		return delivery.Commit{}, fault.New(fault.Invalid, "the repository has no commit yet").
			Hint("git add . && git commit -m 'Begin'")
	}
	commit.Branch, commit.Source = changes.branch, remote
	if len(changes.paths) > 0 {
		if commit.Tree, err = s.snapshot(ctx, repo, changes, allowDirty); err != nil {
			return delivery.Commit{}, err
		}
		commit.Dirty = true
	}
	if commit.Tree != "" && len(s.Also) > 0 {
		if commit.Tree, err = s.combine(ctx, repo, commit.SHA, commit.Tree, changes.also); err != nil {
			return delivery.Commit{}, err
		}
	}
	if commit.Tree == "" {
		return delivery.Commit{}, fault.New(fault.Invalid, "folder %s not found in the commit", strings.TrimSuffix(repo.prefix, "/")).
			Hint("commit it first; is it listed in .gitignore?")
	}
	return commit, nil
}

func (s Source) openRepository(ctx context.Context) (repository, error) {
	out, err := s.run(ctx, command{dir: s.Dir, userObjects: true, args: []string{
		"rev-parse", "--is-inside-work-tree", "--show-prefix", "--git-path", "index", "--git-path", "objects",
	}})
	var f *exitError
	switch {
	case errors.As(err, &f) && strings.Contains(f.stderr, "dubious ownership"):
		return repository{}, fault.New(fault.Denied, "%s is owned by another user", s.Dir).Cause(err).
			Hint("git config --global --add safe.directory %s", s.Dir)
	case errors.As(err, &f) && strings.Contains(f.stderr, "must be run in a work tree"), strings.HasPrefix(out, "false"):
		return repository{}, fault.New(fault.Invalid, "%s is not in a git working tree", s.Dir).Hint("clone the repository and run slipway there")
	case errors.As(err, &f):
		return repository{}, fault.New(fault.Invalid, "%s is not in a git repository", s.Dir).Cause(err).
			Hint("git init && git add . && git commit -m 'Begin'")
	case err != nil:
		return repository{}, err
	}
	lines := strings.Split(out, "\n")
	if len(lines) < 4 {
		return repository{}, fmt.Errorf("unexpected output of git rev-parse: %q", out)
	}
	return repository{prefix: lines[1], index: s.absolute(lines[2]), objects: s.absolute(lines[3])}, nil
}

func (s Source) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}

// commit reads the commit and the folder's tree in it. It is empty on an unborn
// branch, which status reports.
func (s Source) commit(ctx context.Context, repo repository) (delivery.Commit, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"log", "-1", "--no-show-signature", "--format=%H%n%T%n%ct", "HEAD", "--"}})
	var f *exitError
	if errors.As(err, &f) {
		return delivery.Commit{}, nil
	}
	fields := strings.Split(out, "\n")
	if err != nil || len(fields) < 3 {
		return delivery.Commit{}, errors.Join(err, fmt.Errorf("unexpected output of git log: %q", out))
	}
	seconds, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return delivery.Commit{}, fmt.Errorf("unexpected output of git log: %q", out)
	}
	c := delivery.Commit{SHA: fields[0], Tree: fields[1], Time: time.Unix(seconds, 0).UTC()}
	if repo.prefix != "" {
		c.Tree, err = s.run(ctx, command{dir: s.Dir, args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD:" + strings.TrimSuffix(repo.prefix, "/")}})
		c.Tree = strings.TrimSpace(c.Tree)
		if errors.As(err, &f) {
			c.Tree, err = "", nil
		}
	}
	return c, err
}

// remote returns the URL of origin without credentials, or "".
func (s Source) remote(ctx context.Context) (string, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"config", "--get", "remote.origin.url"}})
	var f *exitError
	if errors.As(err, &f) {
		return "", nil
	}
	return withoutCredentials(strings.TrimSpace(out)), err
}

// withoutCredentials drops users, passwords and query strings. The user in
// "git@host:path" is not secret.
func withoutCredentials(remote string) string {
	if !strings.Contains(remote, "://") {
		return remote
	}
	u, err := url.Parse(remote)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// snapshot writes a tree of the folder's current content through a copy of the
// user's index, which saves hashing unchanged files: into the repository, or into
// the scratch folder.
func (s Source) snapshot(ctx context.Context, repo repository, changes status, allowed bool) (string, error) {
	if changes.unmerged != "" {
		return "", fault.New(fault.Conflict, "%s has merge conflicts", changes.unmerged).Hint("finish the merge and commit it")
	}
	if !allowed {
		return "", fault.New(fault.Conflict, "the working tree differs from the commit: %s", nameFiles(changes.paths)).
			Hint("commit the changes, or deploy them uncommitted with --allow-dirty")
	}
	if len(changes.modules) > 0 {
		return "", fault.New(fault.Conflict, "the submodule %s has uncommitted changes", changes.modules[0]).
			Hint("commit them in the submodule, or discard them")
	}
	dir, err := os.MkdirTemp(s.Scratch, "slipway-index-")
	if err != nil {
		return "", fmt.Errorf("create a folder for the index: %w", err)
	}
	defer os.RemoveAll(dir)
	index := filepath.Join(dir, "index")
	if err := copyFile(repo.index, index); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("copy the index: %w", err)
	}
	w := treeWriter{source: s, repo: repo, env: []string{"GIT_INDEX_FILE=" + index}}
	write := w.write
	if s.Scratch != "" {
		write = w.writeScratch
	}
	tree, err := write(ctx)
	if err != nil {
		return "", fmt.Errorf("write a tree of the changes: %w", err)
	}
	return tree, nil
}
