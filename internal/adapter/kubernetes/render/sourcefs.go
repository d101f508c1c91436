package render

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Limits of what is read, against a checkout that wants to use up the memory.
const (
	maxFileBytes = 4 << 20
	maxFiles     = 10_000
)

// sourceFS reads files below the checkout. os.Root keeps every access inside, also
// where links are on the way.
type sourceFS struct {
	root      *os.Root
	filesRead int // files, of all sources together
}

func openSource(dir string) (*sourceFS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Invalid, "open the folder of the manifests").Cause(withoutPath(err))
	}
	return &sourceFS{root: root}, nil
}

// localPath gives a path of the configuration the form that the tree reads.
func localPath(p string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(p)) {
		return "", fault.New(fault.Invalid, "%s leaves the checkout", quoted(p)).Hint("name a path inside the repository, relative to its root")
	}
	return path.Clean(filepath.ToSlash(p)), nil
}

func (t *sourceFS) stat(name string) (fs.FileInfo, error) {
	info, err := t.root.Stat(name)
	if err != nil {
		return nil, readError(name, err)
	}
	return info, nil
}

func (t *sourceFS) exists(name string) bool {
	_, err := t.root.Stat(name)
	return err == nil
}

// readDir is the entries of a folder by name, sorted.
func (t *sourceFS) readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if err != nil {
		return nil, readError(dir, err)
	}
	return entries, nil
}

// readFile is a regular file's content. A pipe or device would never end.
func (t *sourceFS) readFile(name string) ([]byte, error) {
	info, err := t.stat(name)
	if err != nil {
		return nil, err
	}
	t.filesRead++
	switch {
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Invalid, "%s is not a file", name).Hint("only regular files and folders are read")
	case info.Size() > maxFileBytes:
		return nil, fault.New(fault.Invalid, "%s is larger than %d MiB", name, maxFileBytes>>20).Hint("manifests are smaller: is it the right file?")
	case t.filesRead > maxFiles:
		return nil, fault.New(fault.Invalid, "the manifests have more than %d files", maxFiles).Hint("name the folders that belong to the service")
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, readError(name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	if err != nil {
		return nil, readError(name, err)
	}
	return data, nil
}

func readError(name string, err error) error {
	f := fault.New(fault.Invalid, "read %s", name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.Invalid, "there is no %s in the checkout", name).Hint("check the path: it is relative to the repository's root; is the file committed?")
	case strings.Contains(err.Error(), "escapes"):
		return f.Cause(errors.New("a link leads out of the checkout")).Hint("copy the file into the repository: only what is in it is delivered")
	}
	return f.Cause(withoutPath(err))
}

// withoutPath is the reason without the path, which the message has already.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
