package oci

import (
	"path"
	"strings"
)

// applyWhiteout does what a whiteout says: what lower layers put there goes.
func (t *rootFS) applyWhiteout(entry, parent, base string) error {
	if base == opaque {
		return t.clearLower(parent)
	}
	gone := strings.TrimPrefix(base, whiteout)
	if strings.HasPrefix(gone, whiteout) {
		return nil // bookkeeping of an old union file system
	}
	if gone == "" || gone == "." || gone == ".." {
		return &entryError{entry, errOutside}
	}
	at := path.Join(parent, gone)
	if t.created[at] {
		return nil
	}
	return t.root.RemoveAll(at)
}

// clearLower removes what this layer did not make.
func (t *rootFS) clearLower(dir string) error {
	f, err := t.root.Open(dir)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		at := path.Join(dir, n)
		info, err := t.root.Lstat(at)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir() && t.createdBelow(at):
			err = t.clearLower(at)
		case !t.created[at]:
			err = t.root.RemoveAll(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// createdBelow reports whether this layer made dir or anything in it.
func (t *rootFS) createdBelow(dir string) bool {
	if t.created[dir] {
		return true
	}
	for at := range t.created {
		if strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	return false
}
