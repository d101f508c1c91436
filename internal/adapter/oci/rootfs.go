package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"time"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	maxLinks = 40 // symbolic links on the way to one entry, as in the kernel
)

// rootFS is a root file system in the making. os.Root keeps every operation
// inside; symbolic links on the way are followed as a container would.
type rootFS struct {
	root    *os.Root
	modes   map[string]fs.FileMode // of folders, set at the very end: a read-only one could not be filled
	times   map[string]time.Time   // likewise; headers may be large
	created map[string]bool        // made by the layer that is being applied
	budget  unpackBudget
	buf     []byte
}

// entryError reports an archive with an invalid entry.
type entryError struct {
	name string
	err  error
}

func (e *entryError) Error() string {
	if e.name == "" {
		return "layer: " + e.err.Error()
	}
	return fmt.Sprintf("entry %q: %v", e.name, e.err)
}

func (e *entryError) Unwrap() error { return e.err }

var errOutside = errors.New("the path leaves the root folder")

func newRootFS(root *os.Root) *rootFS {
	return &rootFS{root: root, modes: map[string]fs.FileMode{}, times: map[string]time.Time{}, budget: newUnpackBudget(), buf: make([]byte, 256<<10)}
}

// cleanName returns the entry's name relative to the root.
func cleanName(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if strings.ContainsRune(name, 0) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", errOutside
	}
	return clean, nil
}

// mkdirAll makes the folder, following links inside the root, and returns its
// place without links. A link to somewhere outside, or to a place that the image
// does not have, is refused.
func (t *rootFS) mkdirAll(name string) (string, error) {
	at, links := ".", 0
	todo := strings.Split(name, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == "." || part == "" {
			continue
		}
		if part == ".." {
			if at == "." {
				return "", errOutside
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := t.root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist) && links > 0:
			return "", fmt.Errorf("a symbolic link in its path points to %s, which is not in the image: %w", next, errOutside)
		case errors.Is(err, fs.ErrNotExist):
			if err := t.root.Mkdir(next, 0o755); err != nil {
				return "", err
			}
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", errors.New("too many symbolic links in its path")
			}
			target, err := t.root.Readlink(next)
			if err != nil {
				return "", err
			}
			if path.IsAbs(target) {
				at = "."
			}
			todo = append(strings.Split(target, "/"), todo...)
			continue
		case !info.IsDir():
			return "", fmt.Errorf("%s in its path is not a folder", next)
		}
		at = next
	}
	return at, nil
}

// setDirMetadata sets the folders' modes and times, deepest first.
func (t *rootFS) setDirMetadata() error {
	dirs := make([]string, 0, len(t.modes))
	for at := range t.modes {
		dirs = append(dirs, at)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	for _, at := range dirs {
		info, err := t.root.Lstat(at)
		if err != nil || !info.IsDir() {
			continue // a later layer removed or replaced it
		}
		if err := t.root.Chmod(at, t.modes[at]); err != nil {
			return err
		}
		if modified, known := t.times[at]; known {
			if err := t.root.Chtimes(at, modified, modified); err != nil {
				return err
			}
		}
	}
	return nil
}

// permissions returns an entry's mode without the rights of others to change it: on
// this machine they are other users than in the image, and the code is to be run.
func permissions(h *tar.Header) fs.FileMode { return fs.FileMode(h.Mode) & fs.ModePerm &^ othersWrite }

const othersWrite fs.FileMode = 0o022

// dirMode returns the folder's mode; its owner can always clean it up.
func dirMode(h *tar.Header) fs.FileMode {
	m := permissions(h) | 0o700
	if h.Mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
