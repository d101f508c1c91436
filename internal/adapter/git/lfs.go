package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// lfsFile is a file whose content Git LFS keeps outside of git: what git has is a
// pointer with the content's digest and size.
type lfsFile struct {
	path, mode string
	pointer    string // text
	oid        string // SHA-256, hex
	size       int64
}

// Sizes of pointers: the specification ends at the second.
const (
	minPointerBytes = 100
	maxPointerBytes = 1024
)

var pointerPattern = regexp.MustCompile(`^version https://(?:git-lfs\.github\.com/spec|hawser\.github\.com/spec)/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]+)\n$`)

// parsePointer reads a pointer; ok is false for any other file.
func parsePointer(text string) (oid string, size int64, ok bool) {
	m := pointerPattern.FindStringSubmatch(text)
	if m == nil {
		return "", 0, false
	}
	size, err := strconv.ParseInt(m[2], 10, 64)
	return m[1], size, err == nil
}

// lfsFiles lists the files of a tree that are LFS pointers. Nothing is one unless
// .gitattributes enable LFS, in the tree or in the repository around it.
func (s Source) lfsFiles(ctx context.Context, repo repository, tree string, hasAttributes bool) ([]lfsFile, error) {
	enabled := false
	var err error
	if hasAttributes {
		enabled, err = s.enablesLFS(ctx, tree, ":(glob)**/.gitattributes")
	}
	if err == nil && !enabled && repo.prefix != "" {
		enabled, err = s.enablesLFS(ctx, "HEAD", ":(top,glob)**/.gitattributes")
	}
	if err != nil || !enabled {
		return nil, err
	}
	if tree, err = s.withoutBigFiles(tree); err != nil { // which are no pointers
		return nil, err
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"ls-tree", "-r", "-l", "-z", "--full-tree", tree}})
	if err != nil {
		return nil, fmt.Errorf("list tree %s: %w", tree, err)
	}
	var files []lfsFile
	var blobs []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(meta) // mode type object size
		if len(fields) != 4 || !strings.HasPrefix(fields[0], "1006") && !strings.HasPrefix(fields[0], "1007") {
			continue
		}
		if size, err := strconv.Atoi(fields[3]); err != nil || size < minPointerBytes || size > maxPointerBytes {
			continue
		}
		files, blobs = append(files, lfsFile{path: path, mode: fields[0]}), append(blobs, fields[2])
	}
	texts, err := s.contents(ctx, blobs)
	if err != nil {
		return nil, err
	}
	var found []lfsFile
	for i, f := range files {
		f.pointer = texts[i]
		var ok bool
		if f.oid, f.size, ok = parsePointer(f.pointer); ok {
			found = append(found, f)
		}
	}
	return found, nil
}

// enablesLFS reports whether .gitattributes files of a tree name LFS's filter.
func (s Source) enablesLFS(ctx context.Context, tree, where string) (bool, error) {
	_, err := s.run(ctx, command{dir: s.Dir, args: []string{"grep", "-I", "-q", "--full-name", "-e", "filter=lfs", tree, "--", where}})
	var f *exitError
	if errors.As(err, &f) && f.code == 1 {
		return false, nil // no match
	}
	if err != nil {
		return false, fmt.Errorf("check for Git LFS: %w", err)
	}
	return true, nil
}

// contents reads small blobs.
func (s Source) contents(ctx context.Context, blobs []string) ([]string, error) {
	if len(blobs) == 0 {
		return nil, nil
	}
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"cat-file", "--batch"}, in: []byte(strings.Join(blobs, "\n") + "\n")})
	if err != nil {
		return nil, fmt.Errorf("read small files: %w", err)
	}
	texts := make([]string, len(blobs))
	for i := range blobs {
		header, rest, _ := strings.Cut(out, "\n") // object type size
		fields := strings.Fields(header)
		if len(fields) != 3 {
			return nil, fmt.Errorf("unexpected output of git cat-file: %q", header)
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil || len(rest) < size+1 {
			return nil, fmt.Errorf("unexpected output of git cat-file: %q", header)
		}
		texts[i], out = rest[:size], rest[size+1:]
	}
	return texts, nil
}

// lfsStore is the folder with the contents that this clone has.
func (s Source) lfsStore(ctx context.Context) (string, error) {
	out, err := s.run(ctx, command{dir: s.Dir, args: []string{"rev-parse", "--git-common-dir"}})
	if err != nil {
		return "", err
	}
	common := s.absolute(strings.TrimSpace(out))
	out, err = s.run(ctx, command{dir: s.Dir, args: []string{"config", "--get", "lfs.storage"}})
	var f *exitError
	switch storage := strings.TrimSpace(out); {
	case errors.As(err, &f) || err == nil && storage == "":
		return filepath.Join(common, "lfs", "objects"), nil
	case err != nil:
		return "", err
	case filepath.IsAbs(storage):
		return filepath.Join(storage, "objects"), nil
	default:
		return filepath.Join(common, storage, "objects"), nil
	}
}

func (f lfsFile) in(store string) string { return filepath.Join(store, f.oid[:2], f.oid[2:4], f.oid) }

// isIn reports whether the store has the content, by its size.
func (f lfsFile) isIn(store string) bool {
	info, err := os.Stat(f.in(store))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.size
}

// hasLFS reports whether git-lfs is installed.
func (s Source) hasLFS(ctx context.Context) bool {
	_, err := s.run(ctx, command{dir: s.Dir, args: []string{"lfs", "version"}})
	return err == nil
}

func missingContent(paths []string) error {
	return fault.New(fault.NotFound, "Git LFS has the content of %s, which this clone lacks", nameFiles(paths)).
		Hint("run `git lfs pull`; it needs git-lfs (https://git-lfs.com). In a CI, enable LFS for the checkout (GitHub: lfs: true)")
}

// contentTime is the time of every content beside a checkout: one that was changed in
// place has another.
var contentTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// addLFSContent replaces the pointers in the checkout at dir by their content, which
// is in the folder kept: contents that are used again are not copied again.
func (s Source) addLFSContent(ctx context.Context, files []lfsFile, dir, kept string) error {
	if len(files) == 0 {
		return os.RemoveAll(kept)
	}
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	store, err := s.lfsStore(ctx)
	if err != nil {
		return err
	}
	hasLFS := sync.OnceValue(func() bool { return s.hasLFS(ctx) })
	inUse := map[string]bool{}
	var missing []string
	for _, f := range files {
		name := f.oid
		if strings.HasSuffix(f.mode, "755") {
			name += "-x"
		}
		inUse[name] = true
		err := s.provide(ctx, f, store, filepath.Join(kept, name), hasLFS)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f.path)
			continue
		}
		if err == nil {
			err = linkInto(filepath.Join(kept, name), filepath.Join(dir, filepath.FromSlash(f.path)))
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return missingContent(missing)
	}
	return removeUnused(kept, inUse)
}

func removeUnused(dir string, inUse map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !inUse[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// provide makes the content available at path: from the clone's store, or downloaded
// by git-lfs, if hasLFS. It is fs.ErrNotExist if neither has it.
func (s Source) provide(ctx context.Context, f lfsFile, store, path string, hasLFS func() bool) error {
	if info, err := os.Stat(path); err == nil && info.Size() == f.size && info.ModTime().Equal(contentTime) {
		return nil
	}
	if f.isIn(store) {
		in, err := os.Open(f.in(store))
		if err != nil {
			return fmt.Errorf("read the content of %s: %w", f.path, err)
		}
		defer in.Close()
		return f.save(path, func(out io.Writer) error { _, err := io.Copy(out, in); return err })
	}
	if !hasLFS() {
		return fs.ErrNotExist
	}
	err := f.save(path, func(out io.Writer) error {
		_, err := s.run(ctx, command{
			dir: s.Dir, args: []string{"lfs", "smudge", "--", f.path}, in: []byte(f.pointer), out: out,
		})
		return err
	})
	var failed *exitError
	if errors.As(err, &failed) {
		return fault.New(fault.Unavailable, "download %s from Git LFS", f.path).Cause(err).Hint("run `git lfs pull` to see why; then run again")
	}
	return err
}

// save writes the content to path, whole and as the pointer says, or not at all.
func (f lfsFile) save(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	count := &counter{}
	err = write(io.MultiWriter(tmp, sum, count))
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.oid || count.bytes != f.size {
		return fault.New(fault.Corrupt, "the content of %s in Git LFS is not what its pointer names (sha256 %s of %d bytes; want %s of %d)", f.path, got[:12], count.bytes, f.oid[:12], f.size).
			Hint("run `git lfs fsck`, and `git lfs pull`")
	}
	mode := fs.FileMode(0o644)
	if strings.HasSuffix(f.mode, "755") {
		mode = 0o755
	}
	if err := errors.Join(os.Chmod(tmp.Name(), mode), os.Chtimes(tmp.Name(), contentTime, contentTime)); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

type counter struct{ bytes int64 }

func (c *counter) Write(p []byte) (int, error) { c.bytes += int64(len(p)); return len(p), nil }

// linkInto replaces the file to by a link to from, or by a copy.
func linkInto(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chtimes(to, contentTime, contentTime))
}

// hasAttributes reports whether .gitattributes are among the files.
func hasAttributes(files []port.File) bool {
	return slices.ContainsFunc(files, func(f port.File) bool { return path.Base(f.Path) == ".gitattributes" })
}
