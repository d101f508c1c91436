package git

import (
	"context"
	"errors"
	"strings"
)

// status is the difference between the source's folder and the commit.
type status struct {
	unborn   bool     // no commit yet
	branch   string   // "" when detached
	paths    []string // changed paths, relative to the folder
	unmerged string   // the first path with conflicts
	modules  []string // submodules with uncommitted changes in them
	also     []string // those of the paths that are beside the folder
}

func (s Source) status(ctx context.Context, repo repository) (status, error) {
	bases, err := s.alsoBases(repo)
	if err != nil {
		return status{}, err
	}
	untracked := "normal"
	if len(bases) > 0 {
		untracked = "all" // a folder may have files that no glob matches
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: append([]string{
		"status", "--porcelain=v2", "--branch", "-z", "--untracked-files=" + untracked, "--ignored=no", "--no-renames",
		"--ignore-submodules=none", "--", ".", ":(exclude)" + stateDir,
	}, literal(bases)...)})
	if err != nil {
		return status{}, err
	}
	return s.parseStatus(out, repo.prefix)
}

var errStatus = errors.New("unexpected output of git status")

// parseStatus reads `git status --porcelain=v2 --branch -z --no-renames`.
func (s Source) parseStatus(out, prefix string) (status, error) {
	var st status
	for _, entry := range strings.Split(out, "\x00") {
		if entry == "" {
			continue
		}
		var fields int // before the path
		switch entry[0] {
		case '#':
			st.header(entry)
			continue
		case '1':
			fields = 8
		case 'u':
			fields = 10
		case '?':
			fields = 1
		case '!':
			continue
		default:
			return st, errStatus
		}
		parts := strings.SplitN(entry, " ", fields+1)
		if len(parts) != fields+1 {
			return st, errStatus
		}
		path := relativeTo(prefix, parts[fields])
		if strings.HasPrefix(path, "../") {
			if !s.isAlso(path) {
				continue
			}
			st.also = append(st.also, path)
		}
		st.paths = append(st.paths, path)
		if entry[0] == '1' && strings.HasPrefix(parts[2], "S") && !strings.HasSuffix(parts[2], "..") {
			st.modules = append(st.modules, path) // S, then whether its commit, its files, and its untracked files differ
		}
		if entry[0] == 'u' && st.unmerged == "" {
			st.unmerged = path
		}
	}
	return st, nil
}

func (st *status) header(entry string) {
	if oid, ok := strings.CutPrefix(entry, "# branch.oid "); ok {
		st.unborn = oid == "(initial)"
	}
	if head, ok := strings.CutPrefix(entry, "# branch.head "); ok && head != "(detached)" {
		st.branch = head
	}
}
