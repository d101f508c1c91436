package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// maxScratchFile is the size of a file from which its content is hashed, but not
// copied to the scratch folder, which may be in memory.
const maxScratchFile = 4 << 20

// WithScratch returns a source that writes to dir instead of the repository, and runs no
// program that the repository names; see port.ScratchSource.
func (s Source) WithScratch(dir string) port.Source {
	s.Scratch, s.guard = dir, s.withoutFilters()
	return s
}

// treeWriter writes trees of the folder's content through an index of its own.
type treeWriter struct {
	source Source
	repo   repository
	env    []string
}

func (w treeWriter) run(ctx context.Context, in []string, args ...string) (string, error) {
	c := command{dir: w.source.Dir, env: w.env, args: args, in: []byte(strings.Join(in, "\x00"))}
	if w.source.Scratch != "" {
		c.config = []string{
			"lfs.storage=" + filepath.Join(w.source.Scratch, "lfs"), // where Git LFS, if it is installed, puts the contents of new files
			"pack.compression=0", // git compresses big files even if it only hashes them: ten times slower
		}
	}
	return w.source.run(ctx, c)
}

// write adds everything in the folder to the index, and writes the tree.
func (w treeWriter) write(ctx context.Context) (string, error) {
	if _, err := w.run(ctx, nil, "add", "--all", "--", ".", ":(exclude)"+stateDir); err != nil {
		return "", err
	}
	return w.tree(ctx)
}

func (w treeWriter) tree(ctx context.Context, options ...string) (string, error) {
	out, err := w.run(ctx, nil, append([]string{"write-tree", "--prefix=" + w.repo.prefix}, options...)...)
	return strings.TrimSpace(out), err
}

// prepareScratch makes the scratch folder take new objects.
func (s Source) prepareScratch(repo repository) error {
	info := filepath.Join(s.scratchObjects(), "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(info, "alternates"), []byte(repo.objects+"\n"), 0o600)
}

// writeScratch is write for the scratch folder. The objects of the tree refer to
// the contents of big files, which are not there: the tree without their changes is
// noted for a checkout.
func (w treeWriter) writeScratch(ctx context.Context) (string, error) {
	if err := w.source.prepareScratch(w.repo); err != nil {
		return "", err
	}
	big, err := w.bigFiles(ctx)
	if err != nil {
		return "", err
	}
	if len(big) == 0 {
		return w.write(ctx)
	}
	paths := []string{".", ":(exclude)" + stateDir}
	for _, path := range big {
		paths = append(paths, ":(exclude,literal)"+path)
	}
	if _, err := w.run(ctx, paths, "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"); err != nil {
		return "", err
	}
	small, err := w.tree(ctx)
	if err != nil {
		return "", err
	}
	if _, err := w.run(ctx, big, "update-index", "--add", "--info-only", "-z", "--stdin"); err != nil {
		return "", err
	}
	all, err := w.tree(ctx, "--missing-ok")
	if err != nil {
		return "", err
	}
	return all, os.WriteFile(w.source.smallTreePath(all), []byte(small), 0o600)
}

// bigFiles lists the changed and untracked files above the limit.
func (w treeWriter) bigFiles(ctx context.Context) ([]string, error) {
	out, err := w.run(ctx, nil, "ls-files", "-z", "--others", "--modified", "--exclude-standard", "--", ".", ":(exclude)"+stateDir)
	if err != nil {
		return nil, err
	}
	var big []string
	for _, path := range strings.Split(out, "\x00") {
		if path == "" {
			continue
		}
		info, err := os.Lstat(filepath.Join(w.source.Dir, filepath.FromSlash(path)))
		if err == nil && info.Mode().IsRegular() && info.Size() > maxScratchFile {
			big = append(big, path)
		}
	}
	return big, nil
}

func (s Source) smallTreePath(tree string) string { return filepath.Join(s.Scratch, "tree-"+tree) }

// withoutBigFiles returns the tree to check out instead of one whose big files are
// not in the scratch folder.
func (s Source) withoutBigFiles(tree string) (string, error) {
	if !s.hasScratch() {
		return tree, nil
	}
	small, err := os.ReadFile(s.smallTreePath(tree))
	if errors.Is(err, fs.ErrNotExist) {
		return tree, nil
	}
	return string(small), err
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}
