package git

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// Files lists a tree, with the files of its submodules; see port.Source.
func (s Source) Files(ctx context.Context, tree string) ([]port.File, error) {
	files, _, err := s.files(ctx, tree)
	return files, err
}

func (s Source) files(ctx context.Context, tree string) ([]port.File, []module, error) {
	if err := validateObject(tree); err != nil {
		return nil, nil, err
	}
	files, err := s.list(ctx, tree)
	if err != nil {
		return nil, nil, err
	}
	files, folder, err := s.relative(ctx, files)
	if err != nil {
		return nil, nil, err
	}
	var modules []module
	hasModules := slices.ContainsFunc(files, func(f port.File) bool { return f.Mode == submodule })
	if hasModules {
		files, modules, err = s.expand(ctx, files)
	}
	if hasModules || folder != "" {
		slices.SortFunc(files, func(a, b port.File) int { return strings.Compare(a.Path, b.Path) })
	}
	return files, modules, err
}

// Changed lists the paths that differ between two trees; see port.Source.
func (s Source) Changed(ctx context.Context, from, to string) ([]string, error) {
	for _, tree := range []string{from, to} {
		if err := validateObject(tree); err != nil {
			return nil, err
		}
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{
		"diff-tree", "-r", "-z", "--raw", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", from, to, "--",
	}})
	if err != nil {
		return nil, s.explainMissingTree(ctx, err, from, to)
	}
	if len(s.Also) > 0 || strings.Contains(out, "\x00"+folderFile+"\x00") {
		return s.changedFiles(ctx, from, to)
	}
	var paths []string
	for len(out) > 0 {
		var meta, path string
		meta, out, _ = strings.Cut(out, "\x00")
		path, out, _ = strings.Cut(out, "\x00")
		fields := strings.Fields(strings.TrimPrefix(meta, ":")) // two modes, two objects, status
		if len(fields) != 5 || path == "" {
			return nil, fmt.Errorf("unexpected output of git diff-tree: %q", meta)
		}
		if fields[0] != submodule && fields[1] != submodule {
			paths = append(paths, path)
			continue
		}
		var was, is string
		if fields[0] == submodule {
			was = fields[2]
		}
		if fields[1] == submodule {
			is = fields[3]
		}
		if was == "" || is == "" { // it was a file, or becomes one
			paths = append(paths, path)
		}
		paths = append(paths, s.changedInModule(ctx, path, was, is)...)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// changedFiles compares the files of two trees, of which one may have files beside the
// service's folder.
func (s Source) changedFiles(ctx context.Context, from, to string) ([]string, error) {
	var content [2]map[string]port.File
	for i, tree := range []string{from, to} {
		files, err := s.Files(ctx, tree)
		if err != nil {
			return nil, err
		}
		content[i] = map[string]port.File{}
		for _, f := range files {
			content[i][f.Path] = f
		}
	}
	paths := differences(content[0], content[1])
	slices.Sort(paths)
	return paths, nil
}
