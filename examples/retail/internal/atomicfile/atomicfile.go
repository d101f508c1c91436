// Package atomicfile writes a result as a whole or not at all, so that a run which
// is killed half way leaves no half file for a later step to pick up.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces the file at path by text, and makes its folder if need be.
func Write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder for %s: %w", path, err)
	}
	draft := path + ".part"
	if err := os.WriteFile(draft, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(draft, path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(draft))
	}
	return nil
}
