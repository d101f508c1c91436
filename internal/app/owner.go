package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// Git reports what is known about a folder before the project in it is trusted. It
// runs nothing that the repository names.
type Git interface {
	// SafeDirectories returns the folders that the user trusts whoever owns them:
	// safe.directory of git's system and user configuration.
	SafeDirectories(ctx context.Context) ([]string, error)
	// Tracked returns a path of the folder that the repository tracks, relative to dir,
	// or "". A folder outside of a repository has none.
	Tracked(ctx context.Context, dir, folder string) (string, error)
}

// workspaceVariables name the checkout of a CI's job, in which files may belong to the
// user of the runner while the job is root in a container. They count only in the
// system's own jobs.
var workspaceVariables = []struct{ job, workspace string }{
	{"GITHUB_ACTIONS", "GITHUB_WORKSPACE"},
	{"GITLAB_CI", "CI_PROJECT_DIR"},
	{"JENKINS_URL", "WORKSPACE"},
	{"BUILDKITE", "BUILDKITE_BUILD_CHECKOUT_PATH"},
	{"CIRCLECI", "CIRCLE_WORKING_DIRECTORY"},
	{"TF_BUILD", "BUILD_SOURCESDIRECTORY"},
	{"CODEBUILD_BUILD_ID", "CODEBUILD_SRC_DIR"},
	{"BITBUCKET_BUILD_NUMBER", "BITBUCKET_CLONE_DIR"},
	{"DRONE", "DRONE_WORKSPACE"},
	{"CI_WORKSPACE", "CI_WORKSPACE"}, // Woodpecker
}

// checkOwners refuses a project or a state folder that another user owns: its files
// name programs, addresses and folders to remove. Git refuses such repositories for the
// same reason, but not every command needs git.
func (a *App) checkOwners(ctx context.Context, w Workspace) error {
	file := filepath.Join(w.Repository, config.FileName)
	for _, path := range []string{file, w.Repository, w.Home} {
		uid, ok := filetrust.Foreign(path)
		if !ok || a.invokedBy(uid) || a.inJob(path) || a.isSafe(ctx, path) {
			continue
		}
		f := fault.New(fault.Denied, "%s belongs to another user (uid %d; this is uid %d)", path, uid, os.Geteuid())
		if path == w.Home {
			return f.Hint("the state folder decides what is run and removed: chown it, or set SLIPWAY_HOME to a folder of yours; if you trust that user: git config --global --add safe.directory %s", path)
		}
		return f.Hint("%s names programs and addresses that are used with your rights; if you trust that user: git config --global --add safe.directory %s", config.FileName, w.Repository)
	}
	return nil
}

// invokedBy reports whether root acts for the user, by sudo.
func (a *App) invokedBy(uid int) bool {
	return os.Geteuid() == 0 && a.Variable("SUDO_UID") == strconv.Itoa(uid)
}

// inJob reports whether a path is in the checkout of the CI's job.
func (a *App) inJob(path string) bool {
	for _, v := range workspaceVariables {
		if dir := a.Variable(v.workspace); dir != "" && a.Variable(v.job) != "" && isWithin(dir, path) {
			return true
		}
	}
	return false
}

// isSafe reports whether the user's git configuration trusts a path, or the repository
// that it is in.
func (a *App) isSafe(ctx context.Context, path string) bool {
	if a.Git == nil {
		return false
	}
	safe, err := a.Git.SafeDirectories(ctx)
	if err != nil || len(safe) == 0 {
		return false
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		if slices.ContainsFunc(safe, func(entry string) bool { return matchesSafe(entry, dir) }) {
			return true
		}
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil || dir == filepath.Dir(dir) {
			return false
		}
	}
}

// matchesSafe reports whether an entry of safe.directory means the folder, as git
// understands it: *, DIR or DIR/*.
func matchesSafe(entry, dir string) bool {
	if entry == "*" {
		return true
	}
	if parent, ok := strings.CutSuffix(entry, "/*"); ok {
		return filetrust.Resolved(parent) != filetrust.Resolved(dir) && isWithin(parent, dir)
	}
	return entry != "" && filetrust.Resolved(entry) == filetrust.Resolved(dir)
}

// isWithin reports whether a path is the folder or in it, links resolved.
func isWithin(dir, path string) bool {
	return filetrust.Within(filetrust.Resolved(dir), filetrust.Resolved(path))
}

// checkUntracked refuses a state folder that came with the repository: whoever wrote
// the commit would choose what is run and removed here.
func (a *App) checkUntracked(ctx context.Context, w Workspace) error {
	folder, err := filepath.Rel(w.Repository, w.Home)
	if _, statErr := os.Lstat(w.Home); a.Git == nil || statErr != nil || err != nil || !filepath.IsLocal(folder) {
		return nil //nolint:nilerr // it does not exist yet, or is not in the repository
	}
	tracked, err := a.Git.Tracked(ctx, w.Repository, folder)
	if err != nil || tracked == "" {
		return err
	}
	return fault.New(fault.Denied, "the state folder %s is part of the repository: git tracks %s", w.Home, tracked).
		Hint("it decides what is run and removed on this machine, so a commit must not bring it: `git rm -r --cached %[1]s`, look at what is in it, and remove it; or set SLIPWAY_HOME to another folder", filepath.ToSlash(folder))
}
