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

// Limits on what is read, against a checkout that would exhaust the memory.
const (
	maxFileBytes = 4 << 20
	maxFiles     = 10_000
)

// sourceFS reads files below the checkout. os.Root keeps every access inside, even
// through symbolic links.
type sourceFS struct {
	root      *os.Root
	filesRead int // from all sources together
}

func openSource(dir string) (*sourceFS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Invalid, "open the folder of the manifests").Cause(withoutPath(err))
	}
	return &sourceFS{root: root}, nil
}

// localPath converts a path of the configuration to a clean path within the checkout.
func localPath(p string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(p)) {
		return "", fault.New(fault.Invalid, "%s is outside the checkout", quoted(p)).Hint("name a path inside the repository, relative to its root")
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

// readDir returns the entries of a folder, sorted by name.
func (t *sourceFS) readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if err != nil {
		return nil, readError(dir, err)
	}
	return entries, nil
}

// readFile returns the content of a regular file. Reading a pipe or device might
// never end.
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
		return nil, fault.New(fault.Invalid, "%s is larger than %d MiB", name, maxFileBytes>>20).Hint("manifests are smaller: check that it is the right file")
	case t.filesRead > maxFiles:
		return nil, fault.New(fault.Invalid, "the manifests have more than %d files", maxFiles).Hint("list only the folders that belong to the service")
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
		return fault.New(fault.Invalid, "%s not found in the checkout", name).Hint("check that the path is relative to the repository's root and that the file is committed")
	case strings.Contains(err.Error(), "escapes"):
		return f.Cause(errors.New("a link points outside the checkout")).Hint("copy the file into the repository: only files in it are delivered")
	}
	return f.Cause(withoutPath(err))
}

// withoutPath returns the cause without the path, which the message already has.
func withoutPath(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
