package app

import (
	"context"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scaffold"
)

// Init writes a slipway.yaml for the repository in dir, and returns what it detected.
func (a *App) Init(_ context.Context, force bool) (path, seen string, err error) {
	path = filepath.Join(a.Dir, config.FileName)
	if _, err := os.Stat(path); err == nil && !force {
		return path, "", fault.New(fault.Conflict, "%s already exists", path).Hint("overwrite it with --force")
	}
	text, seen, err := scaffold.Write(os.DirFS(a.Dir), filepath.Base(a.Dir), a.Kinds)
	if err != nil {
		return path, "", err
	}
	return path, seen, os.WriteFile(path, text, 0o644)
}
