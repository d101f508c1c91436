package oci

import (
	"path"
	"strings"
)

// remove does what a whiteout says: what lower layers put there goes.
func (t *tree) remove(entry, parent, base string) error {
	if base == opaque {
		return t.empty(parent)
	}
	gone := strings.TrimPrefix(base, whiteout)
	if strings.HasPrefix(gone, whiteout) {
		return nil // bookkeeping of an old union file system
	}
	if gone == "" || gone == "." || gone == ".." {
		return &entryError{entry, errOutside}
	}
	at := path.Join(parent, gone)
	if t.mine[at] {
		return nil
	}
	return t.root.RemoveAll(at)
}

// empty removes what this layer did not make.
func (t *tree) empty(dir string) error {
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
		case info.IsDir() && t.made(at):
			err = t.empty(at)
		case !t.mine[at]:
			err = t.root.RemoveAll(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// made tells whether this layer made dir or anything in it.
func (t *tree) made(dir string) bool {
	if t.mine[dir] {
		return true
	}
	for at := range t.mine {
		if strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	return false
}
