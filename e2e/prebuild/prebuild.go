//go:build unix

// Package prebuild finds the Go modules in this repository whose programs the tests
// build.
package prebuild

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ModuleDir returns the folder of a module of the repository, named by its path there
// ("e2e/cluster/kubernetes"). The repository is found from the working folder upwards.
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
