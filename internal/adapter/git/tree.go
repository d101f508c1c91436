package git

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/port"
)

// list lists a tree, or that of a commit.
func (s Source) list(ctx context.Context, tree string) ([]port.File, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"ls-tree", "-r", "-z", "--full-tree", tree}})
	if err != nil {
		return nil, s.explainMissingTree(ctx, err, tree)
	}
	files, err := parseTree(out)
	if err != nil {
		return nil, fmt.Errorf("list tree %s: %w", tree, err)
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
