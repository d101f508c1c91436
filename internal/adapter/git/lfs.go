package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// hasAttributes reports whether .gitattributes are among the files.
func hasAttributes(files []port.File) bool {
	return slices.ContainsFunc(files, func(f port.File) bool { return path.Base(f.Path) == ".gitattributes" })
}
