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
}

func (s Source) status(ctx context.Context, repo repository) (status, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{
		"status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignored=no", "--no-renames",
		"--ignore-submodules=none", "--", ".", ":(exclude)" + stateDir,
	}})
	if err != nil {
		return status{}, err
	}
	return parseStatus(out, repo.prefix)
}

var errStatus = errors.New("unexpected output of git status")

// parseStatus reads `git status --porcelain=v2 --branch -z --no-renames`.
func parseStatus(out, prefix string) (status, error) {
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
		path := strings.TrimPrefix(parts[fields], prefix)
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
