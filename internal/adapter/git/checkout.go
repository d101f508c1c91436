package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/port"
)

// Checkout makes the content of dir exactly that tree; see port.Source.
// "<dir>.git" holds the index that makes the next checkout fast: a git folder
// without objects and with its own configuration. Neither the user's hooks,
// filters and attributes nor a sparse or shallow clone affect what is written.
func (s Source) Checkout(ctx context.Context, tree, dir string) error {
	if err := validateObject(tree); err != nil {
		return err
	}
	if !filepath.IsAbs(dir) {
		return fault.New(fault.Internal, "check out to %q: the path is not absolute", dir)
	}
	tree, err := s.withoutBigFiles(tree)
	if err != nil {
		return err
	}
	files, modules, err := s.files(ctx, tree)
	if err != nil {
		return err
	}
	repo, err := s.openRepository(ctx)
	if err != nil {
		return err
	}
	w := checkout{source: s, dir: filepath.Clean(dir), git: filepath.Clean(dir) + ".git", objects: repo.objects, sha256: len(tree) == 64}
	if s.hasScratch() {
		w.objects = s.scratchObjects() // which refer to the repository's
	}
	pointers, err := s.lfsFiles(ctx, repo, tree, hasAttributes(files))
	if err != nil {
		return err
	}
	lock, err := w.lock(ctx)
	if err != nil {
		return fmt.Errorf("check out to %s: %w", w.dir, err)
	}
	defer lock.Close()
	ctx = flock.Inherit(ctx, lock)
	if err := w.rebuild(ctx, tree); err != nil {
		return err
	}
	if s.Scratch != "" {
		pointers = nil // a download would write to the user's clone
	}
	err = s.addLFSContent(ctx, pointers, w.dir, filepath.Join(w.git, lfsFolder))
	if err == nil && len(modules) > 0 {
		err = w.addModules(ctx, tree, modules)
	}
	if err != nil {
		return fmt.Errorf("check out %s to %s: %w", tree, w.dir, err)
	}
	return nil
}

// rebuild makes the folder hold the tree, whatever it holds.
func (w checkout) rebuild(ctx context.Context, tree string) error {
	if err := w.update(ctx, tree); err == nil || ctx.Err() != nil {
		return err
	}
	// Damaged beyond what git repairs: start over.
	if err := errors.Join(removeAll(w.dir), w.reset()); err != nil {
		return fmt.Errorf("clear %s: %w", w.dir, err)
	}
	if err := w.update(ctx, tree); err != nil {
		return fmt.Errorf("check out %s to %s: %w", tree, w.dir, err)
	}
	return nil
}

// lfsFolder is where a checkout's git folder keeps contents of Git LFS.
const lfsFolder = "lfs"

// checkout is a folder that holds a tree.
type checkout struct {
	source   Source
	dir, git string
	objects  string // of the user's repository
	sha256   bool   // object IDs are SHA-256
}

func (w checkout) run(ctx context.Context, args ...string) error {
	_, err := w.source.run(ctx, command{dir: w.dir, env: []string{"GIT_DIR=" + w.git, "GIT_WORK_TREE=" + w.dir}, args: args})
	return err
}

// update makes the folder hold the tree. read-tree compares every file with the
// index, by modification time and inode, and writes those that differ.
func (w checkout) update(ctx context.Context, tree string) error {
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.run(ctx, "read-tree", "--reset", "-u", "--no-recurse-submodules", tree); err != nil {
		return err
	}
	clean := []string{"clean", "-ffdxq", "--"}
	if err := w.run(ctx, clean...); err != nil {
		if err := makeWritable(w.dir); err != nil {
			return err
		}
		return w.run(ctx, clean...)
	}
	return nil
}

// prepare creates the folder and its git folder.
func (w checkout) prepare() error {
	if info, err := os.Lstat(w.dir); err == nil && !info.IsDir() { // a symlink would redirect the checkout
		if err := os.Remove(w.dir); err != nil {
			return err
		}
	}
	for _, d := range []string{w.dir, filepath.Join(w.git, "objects", "info"), filepath.Join(w.git, "refs"), filepath.Join(w.git, "info")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(w.git, "index.lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // left behind by kill -9; the lock of this checkout is held
	}
	for name, content := range map[string]string{
		"HEAD":                    "ref: refs/heads/none\n",
		"config":                  w.gitConfig(),
		"objects/info/alternates": w.objects + "\n",
		// The tree as it is: nothing converts, filters or expands files.
		"info/attributes": "* -text -eol -crlf -filter -ident -working-tree-encoding -export-subst\n",
		"info/exclude":    "",
	} {
		if err := writeIfChanged(filepath.Join(w.git, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return nil
}

func (w checkout) gitConfig() string {
	format := "[core]\n\trepositoryformatversion = 0\n"
	if w.sha256 {
		format = "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n[core]\n"
	}
	return format + "\tbare = false\n\tfilemode = true\n\tsymlinks = true\n\tautocrlf = false\n\tignorecase = false\n" +
		"\tprotectHFS = true\n\tprotectNTFS = true\n\tsparseCheckout = false\n[index]\n\tversion = 4\n"
}

// writeIfChanged writes a file unless it already has that content.
func writeIfChanged(path, content string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == content {
		return nil
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// reset removes the index and everything else but the lock.
func (w checkout) reset() error {
	entries, err := os.ReadDir(w.git)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lock" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.git, e.Name())))
		}
	}
	return err
}

// lock keeps two processes from filling the same folder. It is released when its
// holder and the git processes that it started are gone: git continues when its
// parent is killed.
func (w checkout) lock(ctx context.Context) (*os.File, error) {
	if err := os.MkdirAll(w.git, 0o755); err != nil {
		return nil, err
	}
	return flock.Lock(ctx, filepath.Join(w.git, "lock"), nil)
}

// makeWritable makes read-only folders that a tool left behind removable.
func makeWritable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			if info, statErr := d.Info(); statErr == nil && info.Mode().Perm()&0o700 != 0o700 {
				if chmodErr := os.Chmod(path, 0o755); chmodErr != nil {
					return chmodErr
				}
				if err != nil {
					return nil //nolint:nilerr // it could not be read until now; the second pass of clean finds what is in it
				}
			}
		}
		return err
	})
}

func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	if err := makeWritable(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// addModules checks out the submodules within the checkout, each with an index of its
// own.
func (w checkout) addModules(ctx context.Context, tree string, modules []module) error {
	folder, err := w.source.Folder(ctx, tree)
	if err != nil {
		return err
	}
	for _, m := range modules {
		objects, err := m.source.objectsDir(ctx)
		if err != nil {
			return err
		}
		inner := checkout{
			source: m.source, dir: filepath.Join(w.dir, folder, filepath.FromSlash(m.path)), objects: objects, sha256: w.sha256,
			git: filepath.Join(w.git, "modules", strings.ReplaceAll(strings.ReplaceAll(m.path, "%", "%25"), "/", "%2F")),
		}
		if err := inner.rebuild(ctx, m.commit); err != nil {
			return err
		}
		pointers, err := m.source.lfsFiles(ctx, repository{}, m.commit, m.attributes)
		if err == nil {
			err = m.source.addLFSContent(ctx, pointers, inner.dir, filepath.Join(inner.git, lfsFolder))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckTree reports what will keep the tree from being checked out, as far as it is
// known without downloading anything; see port.TreeChecker.
func (s Source) CheckTree(ctx context.Context, tree string, files []port.File) error {
	if err := validateObject(tree); err != nil {
		return err
	}
	repo, err := s.openRepository(ctx)
	if err != nil {
		return err
	}
	pointers, err := s.lfsFiles(ctx, repo, tree, hasAttributes(files))
	if err != nil || len(pointers) == 0 {
		return err
	}
	store, err := s.lfsStore(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, f := range pointers {
		if !f.isIn(store) {
			missing = append(missing, f.path)
		}
	}
	if len(missing) == 0 || s.hasLFS(ctx) {
		return nil
	}
	return missingContent(missing)
}
