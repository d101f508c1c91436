package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// filesBelow lists what matches a pattern below a folder, as absolute paths. Links that
// lead out of the folder are not followed: what is listed may be removed.
func filesBelow(base, pattern string) ([]string, error) {
	root, err := os.OpenRoot(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	found, err := fs.Glob(root.FS(), pattern)
	for i, name := range found {
		found[i] = filepath.Join(base, filepath.FromSlash(name))
	}
	return found, err
}

// removeBelow removes a folder below base, which may contain read-only folders, and
// returns its size in bytes. One that does not exist is empty. A path that leaves base
// through a link is an error: whoever made the link must not choose what is removed.
func removeBelow(base, dir string, dry bool) (size int64, err error) {
	rel, err := filepath.Rel(base, dir)
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(base)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	if info, err := root.Lstat(rel); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if dry {
			return 0, nil
		}
		return 0, root.Remove(rel)
	}
	err = fs.WalkDir(root.FS(), filepath.ToSlash(rel), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir() && !dry && info.Mode().Perm()&0o700 != 0o700:
			return root.Chmod(filepath.FromSlash(path), 0o700)
		case info.Mode().IsRegular():
			size += info.Size()
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return size, nil
	}
	if err != nil || dry {
		return size, err
	}
	return size, root.RemoveAll(rel)
}
