package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
)

// maxSmokeFile is the largest file that a smoke check sends: it becomes part of the
// plan.
const maxSmokeFile = 256 << 10

// findSmokeFiles reads the files that the environment's smoke checks send. They have to
// be part of the commit, where the plan is for one.
func (s *session) findSmokeFiles(_ context.Context, f *plan.Facts, env delivery.Environment) (err error) {
	names := plan.SmokeFiles(s.project, env)
	commit := fileCheck{files: f.Files}
	for _, name := range names {
		if f.Files != nil && !commit.hasFile(filepath.ToSlash(filepath.Clean(name))) {
			return fault.New(fault.NotFound, "read %s of a smoke check: it is not part of the commit", name).Location(config.FileName).
				Hint("add it to git; paths are relative to the folder that contains %s", config.FileName)
		}
	}
	f.SmokeFiles, err = s.smokeFiles(names)
	return err
}

func (s *session) smokeFiles(names []string) (map[string]string, error) {
	return s.readFiles(names, maxSmokeFile, "of a smoke check", "paths are relative to the folder that contains %s")
}

// readFiles reads files of the repository. Links out of it are not followed. A larger
// file is fault.Invalid. The hint is a format for the name of slipway.yaml.
func (s *session) readFiles(names []string, limit int64, purpose, hint string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(s.workspace.Repository)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer root.Close()
	out := map[string]string{}
	for _, name := range names {
		f, err := root.Open(filepath.FromSlash(name))
		var text []byte
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(f, limit+1))
			err = errors.Join(err, f.Close())
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fault.New(fault.NotFound, "read %s %s", name, purpose).Location(config.FileName).Cause(err).Hint(hint, config.FileName)
		case err != nil:
			return nil, fault.New(fault.Invalid, "read %s %s", name, purpose).Location(config.FileName).Cause(err).Hint(hint, config.FileName)
		case int64(len(text)) > limit:
			return nil, fault.New(fault.Invalid, "read %s %s: it has more than %d KiB", name, purpose, limit>>10).Location(config.FileName).
				Hint("use a smaller file")
		}
		out[name] = string(text)
	}
	return out, nil
}
