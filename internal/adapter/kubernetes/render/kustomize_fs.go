package render

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/redact"
)

// kustomizeFS is the checkout as kustomize's file system: "/" is its root, and it is
// read-only. Every kustomization is validated when it is read, before the library can
// download or run anything that it names.
type kustomizeFS struct {
	tree     *sourceFS
	firstErr error           // the first error, with its location
	redactor redact.Redactor // knows the values of all Secrets read so far
}

var errReadOnly = errors.New("the checkout is read-only")

func (o *kustomizeFS) rel(p string) string {
	if p = path.Clean("/" + filepath.ToSlash(p)); p == "/" {
		return "."
	}
	return p[1:]
}

// CleanedAbs splits a path into folder and file.
func (o *kustomizeFS) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	name := o.rel(p)
	info, err := o.tree.stat(name)
	if err != nil {
		return "", "", err
	}
	full := path.Join("/", name)
	if info.IsDir() {
		return filesys.ConfirmedDir(full), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(full)), path.Base(full), nil
}

// IsDir reports whether p is a folder.
func (o *kustomizeFS) IsDir(p string) bool {
	info, err := o.tree.stat(o.rel(p))
	return err == nil && info.IsDir()
}

// Exists reports whether there is a file or folder at p.
func (o *kustomizeFS) Exists(p string) bool { return o.tree.exists(o.rel(p)) }

// ReadDir returns the names of the entries of a folder.
func (o *kustomizeFS) ReadDir(p string) ([]string, error) {
	entries, err := o.tree.readDir(o.rel(p))
	if err != nil {
		return nil, err
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out, nil
}

// Glob returns the files that match a pattern, sorted.
func (o *kustomizeFS) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(o.tree.root.FS(), o.rel(pattern))
	for i := range found {
		found[i] = path.Join("/", found[i])
	}
	return found, err
}

// Walk walks a folder in lexical order.
func (o *kustomizeFS) Walk(p string, visit filepath.WalkFunc) error {
	return fs.WalkDir(o.tree.root.FS(), o.rel(p), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return visit(path.Join("/", name), nil, err)
		}
		info, err := d.Info()
		return visit(path.Join("/", name), info, err)
	})
}

// Open is not supported.
func (o *kustomizeFS) Open(p string) (filesys.File, error) {
	return nil, fault.New(fault.Invalid, "open %s: kustomizations cannot be streamed", o.rel(p))
}

// Create is not supported.
func (o *kustomizeFS) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is not supported.
func (o *kustomizeFS) Mkdir(string) error { return errReadOnly }

// MkdirAll is not supported.
func (o *kustomizeFS) MkdirAll(string) error { return errReadOnly }

// RemoveAll is not supported.
func (o *kustomizeFS) RemoveAll(string) error { return errReadOnly }

// WriteFile is not supported.
func (o *kustomizeFS) WriteFile(string, []byte) error { return errReadOnly }
