package scaffold

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// repository is the file system of a repository, as far as it is looked at.
type repository struct {
	fs.FS
	files []string // paths with plain names, in the order of a walk
	texts map[string]string
}

// How much of a repository is looked at.
const (
	maxFiles     = 5000
	maxDepth     = 6
	maxFileBytes = 256 << 10
)

var (
	safePath    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
	skippedDirs = []string{".git", ".slipway", "vendor", "node_modules", "testdata", "venv", ".venv", "env", "__pycache__", "site-packages", ".tox"}
)

// readRepository walks the repository once.
func readRepository(fsys fs.FS) (*repository, error) {
	r := &repository{FS: fsys, texts: map[string]string{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return nil //nolint:nilerr // what can't be read is not looked at
		case d.IsDir() && name != ".":
			if slices.Contains(skippedDirs, d.Name()) || strings.Count(name, "/") >= maxDepth {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && safePath.MatchString(name):
			if len(r.files) == maxFiles {
				return fs.SkipAll
			}
			r.files = append(r.files, name)
		}
		return nil
	})
	return r, err
}

// text returns the beginning of a file, or "".
func (r *repository) text(name string) string {
	if text, ok := r.texts[name]; ok {
		return text
	}
	text := string(readHead(r.FS, name))
	r.texts[name] = text
	return text
}

// has reports whether the repository has the file or the folder.
func (r *repository) has(name string) bool {
	_, err := fs.Stat(r.FS, path.Clean(name))
	return err == nil
}

// matches reports whether the repository has what a path of a Dockerfile names, which
// may be a pattern.
func (r *repository) matches(name string) bool {
	name = path.Clean(name)
	if r.has(name) {
		return true
	}
	found, err := fs.Glob(r.FS, name)
	return err == nil && len(found) > 0
}

// find returns the files whose base name matches.
func (r *repository) find(match func(base string) bool) []string {
	var out []string
	for _, f := range r.files {
		if match(path.Base(f)) {
			out = append(out, f)
		}
	}
	return out
}

func readHead(fsys fs.FS, name string) []byte {
	f, err := fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data := make([]byte, maxFileBytes)
	n := 0
	for n < len(data) {
		k, err := f.Read(data[n:])
		n += k
		if err != nil || k == 0 {
			break
		}
	}
	return data[:n]
}

// lineOf returns the number of the line at an offset.
func lineOf(text string, offset int) int {
	return 1 + strings.Count(text[:min(max(offset, 0), len(text))], "\n")
}
