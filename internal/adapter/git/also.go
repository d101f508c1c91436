package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// folderFile is at the top of a tree that holds files beside the service's folder as
// well. It contains the folder's path in the tree, with a slash at its end.
const folderFile = ".slipway-folder"

// A tree with files beside the service's folder is laid out as the repository is: the
// folder, and what the globs match, each in its place. Its files are listed relative
// to the folder: "../lib/a.py".

// relativeTo returns a path of the repository relative to the folder.
func relativeTo(folder, name string) string {
	if inside, ok := strings.CutPrefix(name, folder); ok {
		return inside
	}
	up := ""
	for folder != "" && !strings.HasPrefix(name, folder) {
		folder = folder[:strings.LastIndexByte(strings.TrimSuffix(folder, "/"), '/')+1]
		up += "../"
	}
	return up + strings.TrimPrefix(name, folder)
}

// isAlso reports whether a path relative to the folder is beside it, and matched.
func (s Source) isAlso(name string) bool {
	return strings.HasPrefix(name, "../") && slices.ContainsFunc(s.Also, func(glob string) bool {
		ok, err := doublestar.Match(glob, name)
		return err == nil && ok
	})
}

// alsoBases are the folders that the globs begin with, relative to the service's.
func (s Source) alsoBases(repo repository) ([]string, error) {
	var bases []string
	for _, glob := range s.Also {
		base, _ := doublestar.SplitPattern(glob)
		if in := path.Join(repo.prefix, base); in == ".." || strings.HasPrefix(in, "../") {
			return nil, fault.New(fault.Invalid, "source.also: %q is outside the repository", glob).Location("slipway.yaml").
				Hint("a run works on one commit of one repository: use a submodule, or a package")
		}
		if !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	return bases, nil
}

// literal are pathspecs that stand for the paths alone.
func literal(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = ":(literal)" + p
	}
	return out
}

// combine returns the tree with the folder's tree and what the globs match: of the
// commit, or as it is in the working tree if files of it have changed. Without a match
// it is the folder's tree.
func (s Source) combine(ctx context.Context, repo repository, root, folder string, changed []string) (string, error) {
	bases, err := s.alsoBases(repo)
	if err != nil {
		return "", err
	}
	if s.Scratch != "" {
		if err := s.prepareScratch(repo); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(s.Scratch, "slipway-index-")
	if err != nil {
		return "", fmt.Errorf("create a folder for the index: %w", err)
	}
	defer os.RemoveAll(dir)
	entries, err := s.alsoEntries(ctx, repo, root, bases, changed, filepath.Join(dir, "users"))
	if err != nil {
		return "", fmt.Errorf("list the files of source.also: %w", err)
	}
	if len(entries) == 0 {
		return folder, nil
	}
	marker, err := s.run(ctx, command{dir: s.Dir, args: []string{"hash-object", "-w", "--stdin"}, in: []byte(repo.prefix)})
	if err != nil {
		return "", err
	}
	entries = append(entries, "100644 "+strings.TrimSpace(marker)+"\t"+folderFile)
	return s.writeCombined(ctx, repo, folder, entries, filepath.Join(dir, "index"))
}

// alsoEntries lists what the globs match, as `git update-index --index-info` reads it.
func (s Source) alsoEntries(ctx context.Context, repo repository, root string, bases, changed []string, index string) ([]string, error) {
	c := command{dir: s.Dir, args: append([]string{"ls-tree", "-r", "-z", "--full-name", root, "--"}, bases...)}
	if len(changed) > 0 {
		if err := copyFile(repo.index, index); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		env := []string{"GIT_INDEX_FILE=" + index}
		w := treeWriter{source: s, repo: repo, env: env}
		if _, err := w.run(ctx, nil, append([]string{"add", "--all", "--"}, literal(changed)...)...); err != nil {
			return nil, err
		}
		c = command{dir: s.Dir, env: env, args: append([]string{"ls-files", "-s", "-z", "--full-name", "--"}, literal(bases)...)}
	}
	out, err := s.run(ctx, c)
	if err != nil {
		return nil, err
	}
	var entries []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, name, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(meta) // mode type object, or mode object stage
		if len(fields) != 3 || !s.isAlso(relativeTo(repo.prefix, name)) {
			continue
		}
		object := fields[2]
		if len(changed) > 0 {
			object = fields[1]
		}
		entries = append(entries, fields[0]+" "+object+"\t"+name)
	}
	return entries, nil
}

// writeCombined writes the tree. One that leaves out the big files of the folder gets
// its own, likewise.
func (s Source) writeCombined(ctx context.Context, repo repository, folder string, entries []string, index string) (string, error) {
	env := []string{"GIT_INDEX_FILE=" + index}
	if err := os.Remove(index); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if _, err := s.run(ctx, command{dir: s.Dir, env: env, args: []string{"read-tree", "--prefix=" + repo.prefix, folder}}); err != nil {
		return "", err
	}
	in := []byte(strings.Join(entries, "\x00") + "\x00")
	if _, err := s.run(ctx, command{dir: s.Dir, env: env, args: []string{"update-index", "-z", "--index-info"}, in: in}); err != nil {
		return "", err
	}
	out, err := s.run(ctx, command{dir: s.Dir, env: env, args: []string{"write-tree", "--missing-ok"}})
	if err != nil {
		return "", err
	}
	tree := strings.TrimSpace(out)
	small, err := s.withoutBigFiles(folder)
	if err != nil || small == folder {
		return tree, err
	}
	if small, err = s.writeCombined(ctx, repo, small, entries, index); err != nil {
		return "", err
	}
	return tree, os.WriteFile(s.smallTreePath(tree), []byte(small), 0o600)
}

// relative lists the files of a tree relative to the service's folder, which is all
// of it, or below it with files beside.
func (s Source) relative(ctx context.Context, files []port.File) (all []port.File, folder string, err error) {
	i := slices.IndexFunc(files, func(f port.File) bool { return f.Path == folderFile })
	if i < 0 {
		return files, "", nil
	}
	folder, err = s.run(ctx, command{dir: s.Dir, args: []string{"cat-file", "blob", files[i].Blob}})
	if err != nil {
		return nil, "", err
	}
	if !strings.HasSuffix(folder, "/") || !filepath.IsLocal(filepath.FromSlash(folder)) {
		return files, "", nil // a file of the user's own
	}
	for _, f := range files {
		if f.Path != folderFile {
			f.Path = relativeTo(folder, f.Path)
			all = append(all, f)
		}
	}
	return all, folder, nil
}

// Folder returns where the service's folder is in a checkout of the tree; see
// port.FolderSource.
func (s Source) Folder(ctx context.Context, tree string) (string, error) {
	if err := validateObject(tree); err != nil {
		return "", err
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"ls-tree", "-z", "--full-tree", tree, "--", folderFile}})
	if err != nil {
		return "", s.explainMissingTree(ctx, err, tree)
	}
	files, err := parseTree(out)
	if err != nil {
		return "", err
	}
	_, folder, err := s.relative(ctx, files)
	return filepath.FromSlash(strings.TrimSuffix(folder, "/")), err
}
