// Package digest computes digests of files and folders, by their names and
// contents: of training data, and models. The location on disk, times, owners and
// modes do not matter.
package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Hasher computes digests. Safe for concurrent use; the zero value works.
type Hasher struct {
	Cache *Cache // nil: every byte is read each time
}

// Paths returns the digest of files and folders, in the order given. A file
// counts with its base name, a folder with the names below it. Symbolic links to
// files count as the file; links to folders, devices, pipes and sockets below a
// folder are fault.Invalid. A path that does not exist is fault.NotFound. No
// paths have the empty digest "".
func (h Hasher) Paths(ctx context.Context, paths []string) (delivery.Digest, error) {
	if len(paths) == 0 {
		return "", nil
	}
	sum := sha256.New()
	for i, path := range paths {
		files, err := listFiles(path, true)
		if err == nil {
			err = rejectPointers(files)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "path %d %d\n", i, len(files))
		if err := h.writeFiles(ctx, sum, files); err != nil {
			return "", err
		}
	}
	return delivery.DigestFromHash(sum), nil
}

// Sizes of Git LFS pointers.
const (
	minPointerBytes = 100
	maxPointerBytes = 1024
)

// rejectPointers refuses files that hold a Git LFS pointer instead of the data.
func rejectPointers(files []fileEntry) error {
	for _, f := range files {
		info, err := os.Stat(f.path)
		if err != nil || !info.Mode().IsRegular() || info.Size() < minPointerBytes || info.Size() > maxPointerBytes {
			continue
		}
		text, err := os.ReadFile(f.path)
		if err == nil && bytes.HasPrefix(text, []byte("version https://git-lfs.github.com/spec/")) && bytes.Contains(text, []byte("\noid sha256:")) {
			return fault.New(fault.Invalid, "%s is a Git LFS pointer, not the data", f.path).
				Hint("run `git lfs pull`; in a CI, enable LFS for the checkout (GitHub: lfs: true)")
		}
	}
	return nil
}

// Dir returns the digest of all regular files below dir. Symbolic links are
// refused: what they point to is not in the folder. A folder without any file is
// fault.Failed.
func (h Hasher) Dir(ctx context.Context, dir string) (delivery.Digest, error) {
	files, err := listFiles(dir, false)
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fault.New(fault.Failed, "%s contains no files", dir)
	}
	digests := make(map[string]delivery.Digest, len(files))
	for _, f := range files {
		if digests[f.name], err = h.hashFile(ctx, f.path); err != nil {
			return "", err
		}
	}
	return delivery.FolderDigest(digests), nil
}

// Paths is Hasher.Paths without a cache.
func Paths(ctx context.Context, paths []string) (delivery.Digest, error) {
	return Hasher{}.Paths(ctx, paths)
}

// Dir is Hasher.Dir without a cache.
func Dir(ctx context.Context, dir string) (delivery.Digest, error) {
	return Hasher{}.Dir(ctx, dir)
}

// fileEntry is a file, and the name under which it counts.
type fileEntry struct{ name, path string }

// writeFiles writes one line for each file; names are quoted, so that no name can
// pass for two lines.
func (h Hasher) writeFiles(ctx context.Context, w io.Writer, files []fileEntry) error {
	for _, f := range files {
		d, err := h.hashFile(ctx, f.path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "file %q %s\n", f.name, d)
	}
	return nil
}

// listFiles returns the files at path, sorted by name.
func listFiles(path string, links bool) ([]fileEntry, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "read %s", path).
			Hint("check the path; paths are relative to slipway.yaml").Cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if info.Mode().IsRegular() {
		return []fileEntry{{filepath.Base(path), path}}, nil
	}
	if !info.IsDir() {
		return nil, unsupportedFile(path, info.Mode())
	}
	// The folder itself may be a link; WalkDir would not enter it.
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return walk(root, links)
}

func walk(root string, links bool) ([]fileEntry, error) {
	var files []fileEntry
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() && (!links || !linksToFile(path, d)) {
			return unsupportedFile(path, d.Type())
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		files = append(files, fileEntry{filepath.ToSlash(rel), path})
		return nil
	}
	if err := filepath.WalkDir(root, walk); err != nil {
		return nil, err
	}
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	return files, nil
}

func linksToFile(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func unsupportedFile(path string, mode fs.FileMode) error {
	kind := "special file"
	if mode&fs.ModeSymlink != 0 {
		kind = "symbolic link"
	}
	return fault.New(fault.Invalid, "%s is a %s, not a file", path, kind).
		Hint("replace it with a regular file")
}

func (h Hasher) hashFile(ctx context.Context, path string) (delivery.Digest, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return "", unsupportedFile(path, info.Mode())
	}
	if d, ok := h.Cache.get(path, info); ok {
		return d, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, &contextReader{ctx, f}); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	d := delivery.DigestFromHash(sum)
	h.Cache.put(path, f, info, d)
	return d, nil
}

// contextReader stops between two reads once its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
