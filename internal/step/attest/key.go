package attest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/filetrust"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxKeyBytes is the maximum size of a key file.
const maxKeyBytes = 64 << 10

var variableReference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// signer loads the key, which stays in this process.
func (s Step) signer(r step.Request, w step.AttestParams) (port.Signer, error) {
	o := port.SignRequest{Fulcio: w.Fulcio, Rekor: w.Rekor, Timestamps: w.Timestamps}
	if w.Key == "" {
		return s.Signers.NewSigner(o)
	}
	value, err := s.lookup("sign.key", w.Key)
	if err != nil {
		return nil, err
	}
	if o.Key, err = loadKey(value, r.RepositoryDir); err != nil {
		return nil, err
	}
	if w.Passphrase != "" {
		pass, err := s.lookup("sign.passphrase", w.Passphrase)
		if err != nil {
			return nil, err
		}
		o.Passphrase = []byte(pass)
	}
	return s.Signers.NewSigner(o)
}

// lookup returns the value of a variable reference. The value is in no error.
func (s Step) lookup(at, ref string) (string, error) {
	m := variableReference.FindStringSubmatch(ref)
	if m == nil {
		return "", fault.New(fault.Invalid, "%s: want a variable reference such as ${NAME}", at)
	}
	env := s.LookupEnv
	if env == nil {
		env = os.LookupEnv
	}
	v, ok := env(m[1])
	if !ok || v == "" && at == "sign.key" {
		return "", fault.New(fault.Invalid, "%s needs the environment variable %s, which is not set", at, m[1]).
			Hint("export %s before starting slipway; `slipway keys generate` creates a key", m[1])
	}
	return v, nil
}

// loadKey returns the key itself, or the content of its file, which must be
// outside the repository: a file inside it will be committed sooner or later.
func loadKey(value, repository string) ([]byte, error) {
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
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyBytes))
	if err != nil {
		return nil, keyReadError(err)
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
