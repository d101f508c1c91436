package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// applyLayer applies one archive.
func (t *rootFS) applyLayer(r io.Reader) error {
	t.created = map[string]bool{}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &entryError{err: err}
		}
		if err := t.applyEntry(h, archive); err != nil {
			return err
		}
	}
}

func (t *rootFS) applyEntry(h *tar.Header, content io.Reader) error {
	size := h.Size
	if h.Typeflag != tar.TypeReg {
		size = 0
	}
	if err := t.budget.take(h.Name, h.Linkname, size); err != nil {
		return &entryError{shortName(h.Name), err}
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return &entryError{h.Name, err}
	}
	if name == "." {
		t.modes["."] = dirMode(h)
		return nil
	}
	parent, err := t.mkdirAll(path.Dir(name))
	if err != nil {
		return &entryError{h.Name, err}
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteout) {
		return t.applyWhiteout(h.Name, parent, base)
	}
	at := path.Join(parent, base)
	if err := t.removeExisting(h, at); err != nil {
		return &entryError{h.Name, err}
	}
	if err := t.create(h, at, content); err != nil {
		return err
	}
	t.created[at] = true
	return nil
}

// shortName is a name for an error.
func shortName(name string) string {
	if len(name) > 200 {
		return name[:200] + "..."
	}
	return name
}

// removeExisting removes what is in the entry's way; a folder on a folder stays.
func (t *rootFS) removeExisting(h *tar.Header, at string) error {
	info, err := t.root.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() && h.Typeflag == tar.TypeDir {
		return nil
	}
	if err != nil {
		return err
	}
	return t.root.RemoveAll(at)
}

func (t *rootFS) create(h *tar.Header, at string, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		t.modes[at], t.times[at] = dirMode(h), h.ModTime
		if err := t.root.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeReg:
		return t.writeFile(h, at, content)
	case tar.TypeSymlink:
		return t.root.Symlink(h.Linkname, at)
	case tar.TypeLink:
		return t.hardLink(h, at)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		// Devices come from whatever runs the image.
	default:
		return &entryError{h.Name, fmt.Errorf("unknown type %q", h.Typeflag)}
	}
	return nil
}

func (t *rootFS) writeFile(h *tar.Header, at string, content io.Reader) (err error) {
	f, err := t.root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err == nil {
			err = t.root.Chtimes(at, h.ModTime, h.ModTime)
		}
	}()
	// Only Read and Write: the copy must not depend on what the types can do.
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{content}, t.buf); err != nil {
		if isNoSpace(err) || errors.Is(err, fs.ErrPermission) {
			return err
		}
		return &entryError{h.Name, err}
	}
	return f.Chmod(permissions(h))
}

// hardLink links to an entry that came before.
func (t *rootFS) hardLink(h *tar.Header, at string) error {
	target, err := cleanName(h.Linkname)
	if err != nil {
		return &entryError{h.Name, err}
	}
	parent, err := t.mkdirAll(path.Dir(target))
	if err != nil {
		return &entryError{h.Name, err}
	}
	if err := t.root.Link(path.Join(parent, path.Base(target)), at); err != nil {
		if isNoSpace(err) {
			return err
		}
		return &entryError{h.Name, err}
	}
	return nil
}
