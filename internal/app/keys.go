package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// KeyPair is the location of a new signing key.
type KeyPair struct {
	PrivatePath string `json:"private"`
	PublicPath  string `json:"public"`
}

// GenerateKey writes a signing key pair: the private key into folder, which must
// be outside of the repository (default: the user's configuration), the public key
// beside slipway.yaml. Nothing that exists is replaced. The passphrase comes
// from the variable COSIGN_PASSWORD.
func (a *App) GenerateKey(ctx context.Context, folder string) (out KeyPair, err error) {
	err = a.withSession(ctx, func(s *session) error {
		out, err = s.generateKey(folder)
		return err
	})
	return out, err
}

func (s *session) generateKey(folder string) (KeyPair, error) {
	if folder == "" {
		own, err := os.UserConfigDir()
		if err != nil {
			return KeyPair{}, fault.New(fault.Invalid, "find the user configuration folder").Cause(err).Hint("choose a folder with --dir")
		}
		folder = filepath.Join(own, "slipway", "keys", s.project.Service)
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return KeyPair{}, fmt.Errorf("resolve the key folder: %w", err)
	}
	if rel, err := filepath.Rel(s.workspace.Repository, folder); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return KeyPair{}, fault.New(fault.Invalid, "%s is inside the repository: refusing to write a private key there", folder).
			Hint("omit --dir, or choose a folder outside the repository")
	}
	passphrase, _ := s.app.getenv("COSIGN_PASSWORD")
	private, public, err := s.deps.GenerateKey([]byte(passphrase))
	if err != nil {
		return KeyPair{}, err
	}
	out := KeyPair{PrivatePath: filepath.Join(folder, "cosign.key"), PublicPath: filepath.Join(s.workspace.Repository, "cosign.pub")}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return out, fmt.Errorf("create the key folder: %w", err)
	}
	if _, err := os.Lstat(out.PublicPath); err == nil {
		return out, alreadyExists(out.PublicPath)
	}
	if err := writeNewFile(out.PrivatePath, private, 0o600); err != nil {
		return out, err
	}
	return out, writeNewFile(out.PublicPath, public, 0o644)
}

func writeNewFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return alreadyExists(path)
	}
	if err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	return nil
}

func alreadyExists(path string) error {
	return fault.New(fault.Conflict, "%s already exists", path).Hint("keys are never overwritten: move it away first if it is no longer needed")
}
