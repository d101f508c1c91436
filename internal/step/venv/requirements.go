package venv

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// Limits for requirements files, which are untrusted until they are read.
const (
	maxFileBytes = 8 << 20 // of one file
	maxFiles     = 50
)

// requirements are the files that list what to install.
type requirements struct {
	names  []string
	digest string // of names and contents, hex
	hashed bool   // they pin hashes: pip then demands one of every package
	locked *locked
}

// readRequirements reads the file and those that it includes, all below root.
func readRequirements(root string, python step.PythonParams) (requirements, error) {
	file := python.File()
	if file == "" {
		return requirements{}, nil
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return requirements{}, fmt.Errorf("read %s: %w", file, err)
	}
	defer tree.Close()
	c := collector{tree: tree, seen: map[string]bool{}}
	switch path.Base(file) {
	case step.UVLock, step.PoetryLock:
		// What is installed is in the lock, what is resolved in pyproject.toml.
		err = errors.Join(c.addFile(file), c.addFile(path.Join(path.Dir(file), "pyproject.toml")))
	case step.PipfileLock, step.CondaLock:
		err = c.addFile(file)
	default:
		err = c.requirements(file, "")
	}
	if err != nil {
		return requirements{}, err
	}
	out := requirements{names: c.names, digest: hex.EncodeToString(c.sum())}
	switch kind := python.LockKind(); kind {
	case "":
		out.hashed = slices.ContainsFunc(c.texts, func(text []byte) bool { return bytes.Contains(text, []byte("--hash")) })
	case step.PoetryLock, step.PipfileLock, step.CondaLock:
		lock, err := convert(kind, file, c.texts)
		if err != nil {
			return requirements{}, err
		}
		out.locked = &lock
	}
	return out, nil
}

type collector struct {
	tree  *os.Root
	seen  map[string]bool
	names []string
	texts [][]byte
}

func (c *collector) sum() []byte {
	h := sha256.New()
	for i, name := range c.names {
		fmt.Fprintf(h, "%d:%s,%d:", len(name), name, len(c.texts[i]))
		h.Write(c.texts[i])
	}
	return h.Sum(nil)
}

// addFile adds a file as it is.
func (c *collector) addFile(name string) error {
	_, err := c.readFile(name, "")
	return err
}

// readFile reads a file of the repository; at is where it was referenced.
func (c *collector) readFile(name, at string) ([]byte, error) {
	c.seen[name] = true
	if len(c.names) == maxFiles {
		return nil, fault.New(fault.Invalid, "the requirements span more than %d files", maxFiles)
	}
	info, err := c.tree.Stat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, withLocation(fault.New(fault.Invalid, "file %s not found in the commit", name).Hint("commit it, or fix its name"), at)
	case err != nil:
		return nil, withLocation(fault.New(fault.Invalid, "read %s", name).Cause(err), at)
	case !info.Mode().IsRegular() || info.Size() > maxFileBytes:
		return nil, withLocation(fault.New(fault.Invalid, "read %s: not a regular file of at most %d bytes", name, maxFileBytes), at)
	}
	text, err := c.tree.ReadFile(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c.names, c.texts = append(c.names, name), append(c.texts, text)
	return text, nil
}

func withLocation(e *fault.Error, at string) error {
	if at == "" {
		return e
	}
	return e.Location(at)
}

var (
	commentPart  = regexp.MustCompile(`(^|\s)#.*$`)
	includeLine  = regexp.MustCompile(`^(?:-r|-c|--requirements?|--constraints?)(?:\s+|\s*=\s*|)["']?([^"'\s]+)["']?\s*$`)
	editableLine = regexp.MustCompile(`^(-e|--editable)([\s=]|$)`)
	localPath    = regexp.MustCompile(`^(\.{1,2}(/|$|\[)|/|file:)|@\s*file:`)
)

// requirements takes a file in pip's form and those that it includes. The
// repository's own code can't be among them: an environment is kept by these
// files alone, and would go on serving that code when it has changed.
func (c *collector) requirements(name, at string) error {
	if c.seen[name] {
		return nil
	}
	text, err := c.readFile(name, at)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(commentPart.ReplaceAllString(line, ""))
		here := fmt.Sprintf("%s:%d", name, i+1)
		if editableLine.MatchString(line) || localPath.MatchString(line) {
			return fault.New(fault.Invalid, "%q is code from the repository: an environment contains only pinned packages", truncate(line, 80)).
				Location(here).Hint("remove the line, and make the code importable with pytest's `pythonpath`, or PYTHONPATH in `env`")
		}
		if m := includeLine.FindStringSubmatch(line); m != nil {
			if err := c.include(path.Dir(name), m[1], here); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *collector) include(dir, name, at string) error {
	inner := path.Join(dir, name)
	if strings.Contains(name, "://") || path.IsAbs(name) || inner == ".." || strings.HasPrefix(inner, "../") {
		return fault.New(fault.Invalid, "%q is not in the repository", truncate(name, 80)).Location(at).Hint("commit the file, and use a path inside the repository")
	}
	return c.requirements(inner, at)
}

// truncate shortens to at most n bytes of whole characters.
func truncate(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
