package venv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/step"
)

// An environment's folder contains these. It is not moved into place when it is
// complete: an environment has its own path in its scripts.
const (
	envName        = "env"
	completionName = "complete.json" // written last
	lockName       = "lock"
)

// completion marks the environment beside it as complete.
type completion struct {
	Path string    `json:"path"` // where it was made: elsewhere it does not work
	Made time.Time `json:"made"`
}

// findOrInstall finds the environment in folder, or calls install to create it.
func (m Manager) findOrInstall(ctx context.Context, r step.Request, folder string, install func(ctx context.Context, env string) error) (Env, error) {
	env := filepath.Join(folder, envName)
	if m.reuse(ctx, folder, r.ArtifactsDir) {
		return Env{env}, nil
	}
	lock, err := m.lock(ctx, r, folder)
	if err != nil {
		return Env{}, err
	}
	defer lock.Close()
	ctx = flock.Inherit(ctx, lock)
	if isComplete(folder) { // another step has made it meanwhile
		m.recordUse(folder, r.ArtifactsDir)
		return Env{env}, nil
	}
	// What a killed process left.
	if err := os.RemoveAll(env); err != nil {
		return Env{}, writeError(env, err)
	}
	if err := install(ctx, env); err != nil {
		return Env{}, errors.Join(err, os.RemoveAll(env))
	}
	if err := m.markComplete(folder); err != nil {
		return Env{}, writeError(folder, err)
	}
	m.recordUse(folder, r.ArtifactsDir)
	return Env{env}, nil
}

// isComplete reports whether the environment is complete, and its Python still
// works.
func isComplete(folder string) bool {
	raw, err := os.ReadFile(filepath.Join(folder, completionName))
	var d completion
	if err != nil || json.Unmarshal(raw, &d) != nil || d.Path != filepath.Join(folder, envName) {
		return false
	}
	_, err = os.Stat(filepath.Join(d.Path, "bin", "python")) // follows the link to the interpreter
	return err == nil
}

func (m Manager) markComplete(folder string) error {
	raw, err := json.Marshal(completion{Path: filepath.Join(folder, envName), Made: m.Clock.Now()})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(folder, completionName), raw, 0o600)
}

// lock waits until no other process creates this environment. The kernel releases
// the lock when its holder dies.
func (m Manager) lock(ctx context.Context, r step.Request, folder string) (*os.File, error) {
	path := filepath.Join(folder, lockName)
	for {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, writeError(folder, err)
		}
		f, err := flock.Lock(ctx, path, func() {
			r.Progress("waiting for another step that is creating the same environment")
		})
		switch {
		case err == nil:
			return f, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, fs.ErrNotExist): // else a cleanup removed the folder in between
			return nil, writeError(path, err)
		}
	}
}

func writeError(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.New(fault.Exhausted, "write %s", path).Hint("free disk space, for example with `slipway cleanup`").Cause(err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}
