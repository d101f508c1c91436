package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// lfsFilter matches what `git lfs install --local` writes.
var lfsFilter = regexp.MustCompile(`^git[- ]lfs (clean|smudge|filter-process)( --skip)?( -- %f| %f)?$`)

// withoutFilters returns the variables that keep git from running the filters which the
// configuration of the repository, or of a submodule in it, names: a preview runs nothing
// of the repository. Filters of the user's own configuration, and Git LFS, stay. They are
// looked up once.
func (s Source) withoutFilters() func(context.Context) ([]string, error) {
	var (
		once    sync.Once
		environ []string
		err     error
	)
	return func(ctx context.Context) ([]string, error) {
		once.Do(func() {
			names := map[string]bool{}
			err = s.localFilters(ctx, s.Dir, names, 0)
			environ = overrides(names, os.Getenv("GIT_CONFIG_COUNT"))
		})
		return environ, err
	}
}

// overrides are the variables that leave filters without programs. They follow the count
// variables that the user has set.
func overrides(names map[string]bool, count string) []string {
	if len(names) == 0 {
		return nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		n = 0
	}
	var environ []string
	for name := range names {
		for _, setting := range [][2]string{{"clean", ""}, {"smudge", ""}, {"process", ""}, {"required", "false"}} {
			environ = append(environ, fmt.Sprintf("GIT_CONFIG_KEY_%d=filter.%s.%s", n, name, setting[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, setting[1]))
			n++
		}
	}
	return append(environ, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
}

// maxModuleDepth is how deep submodules are looked for within others.
const maxModuleDepth = 8

// localFilters collects the filters that the configuration of a working tree names, and
// those of its submodules.
func (s Source) localFilters(ctx context.Context, dir string, names map[string]bool, depth int) error {
	out, err := s.ifRepository(ctx, dir, "config", "--show-scope", "-z", "--get-regexp", `^filter\..*\.(clean|smudge|process)$`)
	if err != nil {
		return err
	}
	for setting, ofRepository := range settings(out) {
		key, value, _ := strings.Cut(setting, "\n")
		if ofRepository && !lfsFilter.MatchString(value) {
			name := strings.TrimPrefix(key, "filter.")
			names[name[:strings.LastIndexByte(name, '.')]] = true
		}
	}
	if out, err = s.ifRepository(ctx, dir, "ls-files", "-z", "--stage"); err != nil || depth == maxModuleDepth {
		return err
	}
	for entry := range strings.SplitSeq(out, "\x00") {
		meta, path, _ := strings.Cut(entry, "\t")
		if !strings.HasPrefix(meta, submodule+" ") {
			continue
		}
		work := filepath.Join(dir, filepath.FromSlash(path))
		if _, err := os.Lstat(filepath.Join(work, ".git")); err != nil {
			continue // not checked out: git looks into none
		}
		if err := s.localFilters(ctx, work, names, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// ifRepository returns the output of a command in a folder, or "" where git refuses it:
// the command that needs the folder reports why.
func (s Source) ifRepository(ctx context.Context, dir string, args ...string) (string, error) {
	at := Source{Dir: dir, Program: s.Program}
	return at.ifThere(ctx, args...)
}
