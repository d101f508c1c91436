package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// submodule is the mode of a submodule's entry; its object is a commit.
const submodule = "160000"

// module is a submodule as a tree records it. Its content comes from the clone of it
// that lies in the user's clone: nothing is fetched.
type module struct {
	path       string // in the tree that was listed
	commit     string
	source     Source // of its clone
	attributes bool   // its tree has .gitattributes
}

// expand replaces the submodules among a tree's files by their files, and lists them,
// those within others included.
func (s Source) expand(ctx context.Context, files []port.File) (all []port.File, modules []module, err error) {
	for _, f := range files {
		if f.Mode != submodule {
			all = append(all, f)
			continue
		}
		m, err := s.module(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		inside, err := m.source.list(ctx, m.commit)
		if err != nil {
			return nil, nil, err
		}
		m.attributes = hasAttributes(inside)
		inside, nested, err := m.source.expand(ctx, inside)
		if err != nil {
			return nil, nil, err
		}
		modules = append(modules, m)
		for _, f := range inside {
			f.Path = m.path + "/" + f.Path
			all = append(all, f)
		}
		for _, n := range nested {
			n.path = m.path + "/" + n.path
			modules = append(modules, n)
		}
	}
	return all, modules, nil
}

// module finds the clone that has the commit: that of the working tree, or one that
// the user's clone keeps. A commit's name says what it is, wherever it is.
func (s Source) module(ctx context.Context, f port.File) (module, error) {
	if err := validateObject(f.Blob); err != nil {
		return module{}, err
	}
	work := filepath.Join(s.Dir, filepath.FromSlash(f.Path))
	hasCommit := func(dir string) bool {
		return Source{Dir: s.Dir, Program: s.Program, gitDir: dir}.has(ctx, f.Blob+"^{commit}")
	}
	dir := gitDirOf(work)
	if dir == "" || !hasCommit(dir) {
		kept, err := s.moduleDirs(ctx)
		if err != nil {
			return module{}, err
		}
		i := slices.IndexFunc(kept, hasCommit)
		switch {
		case i < 0 && ctx.Err() != nil:
			return module{}, context.Cause(ctx)
		case i < 0:
			return module{}, fault.New(fault.NotFound, "commit %.12s of the submodule %s is not in this clone", f.Blob, f.Path).
				Hint("run `git submodule update --init --recursive`; in a CI, enable submodules for the checkout (GitHub: submodules: recursive)")
		}
		dir = kept[i]
	}
	clone := Source{Dir: s.Dir, Program: s.Program, gitDir: dir}
	if info, err := os.Stat(work); err == nil && info.IsDir() {
		clone.Dir = work // where its own submodules are
	}
	return module{path: f.Path, commit: f.Blob, source: clone}, nil
}

// moduleDirs lists the git folders of submodules that the clone keeps: its own, and
// those of the clone that a linked working tree belongs to.
func (s Source) moduleDirs(ctx context.Context) ([]string, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"rev-parse", "--git-dir", "--git-common-dir"}})
	if err != nil {
		return nil, err
	}
	dirs := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, dir := range dirs {
		dirs[i] = s.absolute(dir)
	}
	var found []string
	for _, dir := range slices.Compact(dirs) {
		found = append(found, keptModules(filepath.Join(dir, "modules"))...)
	}
	return found, nil
}

// gitDirOf returns the git folder of a submodule that is checked out at dir, or "".
func gitDirOf(dir string) string {
	at := filepath.Join(dir, ".git")
	info, err := os.Lstat(at)
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return at
	}
	text, err := os.ReadFile(at)
	to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	switch {
	case err != nil || !ok:
		return ""
	case filepath.IsAbs(to):
		return to
	}
	return filepath.Join(dir, filepath.FromSlash(to))
}

// keptModules lists the git folders below a folder of modules. A name may have
// slashes.
func keptModules(dir string) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil //nolint:nilerr // what can't be read is not found
		}
		if _, err := os.Stat(filepath.Join(path, "HEAD")); err == nil {
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// objectsDir is where the repository keeps its objects.
func (s Source) objectsDir(ctx context.Context) (string, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"rev-parse", "--git-path", "objects"}})
	return s.absolute(strings.TrimSuffix(out, "\n")), err
}

// changedInModule lists the files that differ between two commits of a submodule; ""
// is none. What this clone lacks is not known: then the submodule itself is listed.
func (s Source) changedInModule(ctx context.Context, path, from, to string) []string {
	content := func(commit string) (map[string]port.File, error) {
		out := map[string]port.File{}
		if commit == "" {
			return out, nil
		}
		files, _, err := s.expand(ctx, []port.File{{Path: path, Mode: submodule, Blob: commit}})
		for _, f := range files {
			out[f.Path] = f
		}
		return out, err
	}
	before, err1 := content(from)
	after, err2 := content(to)
	if errors.Join(err1, err2) != nil {
		return []string{path}
	}
	return differences(before, after)
}

// differences lists the paths that differ between two sets of files, not sorted.
func differences(before, after map[string]port.File) []string {
	var paths []string
	for path, f := range after {
		if before[path] != f {
			paths = append(paths, path)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			paths = append(paths, path)
		}
	}
	return paths
}
