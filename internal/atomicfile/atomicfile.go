// Package atomicfile replaces files as a whole: a reader, and whoever comes after
// a crash or on a full disk, finds the old content or the new, never a part. The
// content is written to a temporary file in the same folder, flushed to the disk
// and renamed; then the folder is flushed where the operating system can do that.
package atomicfile

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// prefix and suffix mark temporary files: hidden, and recognizable to whoever
// cleans up after a process that was killed. See IsTemporary.
const (
	prefix = "."
	suffix = ".tmp"
)

// maxTries is how many random names are tried before a folder is given up.
const maxTries = 1000

// Write replaces the file at path with data, or leaves it as it was. The folder
// has to exist. perm is subject to the umask; an existing file's is not kept.
func Write(path string, data []byte, perm fs.FileMode) error {
	f, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// File is a file in the making. It becomes visible with Commit or CommitAs; until
// then Close discards it. Not safe for concurrent use.
type File struct {
	*os.File
	path string
	done bool
}

// Create begins a file that will replace the one at path. The caller closes it,
// whether or not it was committed.
func Create(path string, perm fs.FileMode) (*File, error) {
	dir, base := filepath.Split(path)
	for range maxTries {
		name := dir + prefix + base + "-" + strconv.FormatUint(uint64(rand.Uint32()), 36) + suffix //nolint:gosec // a name, not a secret; O_EXCL guards it
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			return &File{File: f, path: path}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "create a temporary file beside", Path: path, Err: fs.ErrExist}
}

// Commit flushes the file to the disk and makes it visible at its path.
func (f *File) Commit() error { return f.CommitAs(f.path) }

// CommitAs is Commit under another name in the same folder, for files that are
// named by their content.
func (f *File) CommitAs(path string) error {
	if f.done {
		return &fs.PathError{Op: "commit", Path: path, Err: fs.ErrClosed}
	}
	f.done = true
	err := errors.Join(f.Sync(), f.File.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error counts
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// CommitNew is Commit if no file is at the path; otherwise the error is fs.ErrExist,
// and that file stays as it is. Of several processes exactly one succeeds.
func (f *File) CommitNew() error {
	if f.done {
		return &fs.PathError{Op: "commit", Path: f.path, Err: fs.ErrClosed}
	}
	f.done = true
	err := errors.Join(f.Sync(), f.File.Close())
	if err == nil {
		err = os.Link(f.Name(), f.path)
	}
	_ = os.Remove(f.Name()) // a leftover is recognized by its name
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

// Close discards the file unless it was committed.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	return errors.Join(f.File.Close(), os.Remove(f.Name()))
}

// IsTemporary reports whether name is that of a file in the making. A process
// that was killed leaves one behind.
func IsTemporary(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, prefix) && strings.HasSuffix(base, suffix) && strings.Contains(base, "-")
}
