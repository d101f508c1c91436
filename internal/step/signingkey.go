package step

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
)

// maxSigningKey is the maximum size of a key file.
const maxSigningKey = 64 << 10

// LoadSigningKey returns the key itself, or the content of its file, which must be
// outside the repository: a file inside it will be committed sooner or later.
func LoadSigningKey(value, repository string) ([]byte, error) {
	if strings.Contains(value, "-----BEGIN") {
		return []byte(value), nil
	}
	path := value
	if !filepath.IsAbs(path) {
		path = filepath.Join(repository, path)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, keyReadError(err)
	}
	for _, p := range []string{filepath.Clean(path), resolved} {
		if filetrust.Within(repositoryRoot(repository), p) {
			return nil, fault.New(fault.Denied, "the signing key is inside the repository").
				Hint("move it elsewhere, such as ~/.config/slipway, and set the variable to the new path; if it was ever committed, generate a new one")
		}
	}
	f, err := os.Open(resolved)
	if err != nil {
		return nil, keyReadError(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSigningKey+1))
	if err != nil {
		return nil, keyReadError(err)
	}
	if len(raw) > maxSigningKey {
		return nil, fault.New(fault.Invalid, "the signing key has more than %d bytes", maxSigningKey).Hint("name the file of the key alone")
	}
	return raw, nil
}

// keyReadError leaves out the path: it may be a key that was pasted without its
// first line.
func keyReadError(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fault.New(fault.Invalid, "read the signing key").Cause(err).
		Hint("the variable in sign.key must hold a PEM key or the path of a key file")
}

// repositoryRoot returns the root of the git repository around dir, or dir
// itself.
func repositoryRoot(dir string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
