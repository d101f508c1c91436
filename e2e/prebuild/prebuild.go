//go:build unix

// Package prebuild is what those share who build programs for the tests from Go
// modules of their own: where the module is, and who builds it now.
package prebuild

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/flock"
)

// look is how often a lock that is taken is asked for.
const look = 50 * time.Millisecond

// ModuleDir is the folder of a module of the repository, named by its path there
// ("e2e/cluster/kubernetes"): it is looked for from the working folder upwards.
func ModuleDir(path string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		module := filepath.Join(at, filepath.FromSlash(path))
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find %s at or above %s: %w", path, dir, fs.ErrNotExist)
		}
	}
}

// Lock opens the file and takes its lock, which the kernel frees when the file is
// closed or this process ends. busy is called once if somebody else has it.
func Lock(ctx context.Context, path string, busy func()) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	for waited := false; ; waited = true {
		free, err := flock.Try(f)
		if free {
			return f, nil
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !waited {
			busy()
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", path, ctx.Err())
		case <-time.After(look):
		}
	}
}
