package git

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const submodule = "160000"

// Files lists a tree; see port.Source. A submodule in it is fault.Invalid.
func (s Source) Files(ctx context.Context, tree string) ([]port.File, error) {
	if err := validateObject(tree); err != nil {
		return nil, err
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"ls-tree", "-r", "-z", "--full-tree", tree}})
	if err != nil {
		return nil, s.explainMissingTree(ctx, err, tree)
	}
	files, err := parseTree(out)
	if err != nil {
		return nil, fmt.Errorf("list tree %s: %w", tree, err)
	}
	for _, f := range files {
		if f.Mode == submodule {
			return nil, fault.New(fault.Invalid, "%s is a submodule, which is not supported", f.Path).
				Hint("copy what the service needs into the repository (git subtree), or depend on it as a module or package")
		}
	}
	return files, nil
}

// parseTree reads `git ls-tree -r -z`: "mode type object TAB path NUL".
func parseTree(out string) ([]port.File, error) {
	files := make([]port.File, 0, strings.Count(out, "\x00"))
	for len(out) > 0 {
		entry, rest, ended := strings.Cut(out, "\x00")
		meta, path, tab := strings.Cut(entry, "\t")
		fields := strings.Fields(meta)
		if !ended || !tab || len(fields) != 3 || path == "" {
			return nil, fmt.Errorf("unexpected output of git ls-tree: %q", entry)
		}
		files = append(files, port.File{Path: path, Mode: fields[0], Blob: fields[2]})
		out = rest
	}
	slices.SortFunc(files, func(a, b port.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// Changed lists the paths that differ between two trees; see port.Source.
func (s Source) Changed(ctx context.Context, from, to string) ([]string, error) {
	for _, tree := range []string{from, to} {
		if err := validateObject(tree); err != nil {
			return nil, err
		}
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{
		"diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", from, to, "--",
	}})
	if err != nil {
		return nil, s.explainMissingTree(ctx, err, from, to)
	}
	var paths []string
	for _, p := range strings.Split(out, "\x00") {
		if p != "" {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths, nil
}
