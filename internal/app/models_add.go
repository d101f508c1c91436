package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scratch"
	"github.com/slipway-cd/slipway/internal/step/digest"
)

// ModelFiles is a model that was made elsewhere.
type ModelFiles struct {
	Group   string
	Path    string // a file or a folder
	Metrics string // a JSON file
	Why     string
}

// modelPrefix begins the names of folders in the state folder where models are packed and
// unpacked, also by the model registries.
const modelPrefix = "model-"

const maxMetricsBytes = 1 << 20

// AddModel stores the files and registers them as a version of the group, pending
// approval. The same files with the same metrics are the same version.
func (a *App) AddModel(ctx context.Context, add ModelFiles) (out delivery.ModelVersion, err error) {
	err = a.withSession(ctx, func(s *session) error {
		if m := s.project.Model; m == nil || m.Group != add.Group {
			return fault.New(fault.Invalid, "%s delivers no models of the group %q", config.FileName, add.Group).
				Hint("add models to the group that model.group names")
		}
		raw, metrics, err := readModelMetrics(a.absolute(add.Metrics))
		if err != nil {
			return err
		}
		tmp, err := scratch.New(s.workspace.Home, modelPrefix, a.Clock())
		if err != nil {
			return err
		}
		defer func() { _ = tmp.Close() }()
		dir := tmp.Files()
		if err := copyModel(a.absolute(add.Path), dir, raw); err != nil {
			return err
		}
		stored, err := s.deps.Artifacts.Store(ctx, add.Group, dir, map[string]string{"org.opencontainers.image.title": add.Group})
		if err != nil {
			return fmt.Errorf("store the files of %s: %w", add.Path, err)
		}
		out, err = s.deps.Models.Register(ctx, add.Group, stored, metrics, delivery.Lineage{AddedBy: a.actor(), Why: add.Why})
		return err
	})
	return out, err
}

// absolute resolves a path that was given on the command line.
func (a *App) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.Dir, path)
}

// readModelMetrics reads a JSON object of metrics.
func readModelMetrics(path string) (raw []byte, m delivery.Metrics, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable("metrics", path, err)
	}
	defer f.Close()
	if raw, err = io.ReadAll(io.LimitReader(f, maxMetricsBytes+1)); err != nil {
		return nil, nil, unreadable("metrics", path, err)
	}
	if len(raw) > maxMetricsBytes {
		return nil, nil, fault.New(fault.Invalid, "the metrics in %s have more than %d bytes", path, maxMetricsBytes)
	}
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, nil, fault.New(fault.Invalid, "the metrics in %s are not a JSON object", path).
			Hint("write numbers by name, such as {\"accuracy\": 0.91}").Cause(err)
	}
	return raw, m, nil
}

func unreadable(what, path string, err error) error {
	kind := fault.Unavailable
	if errors.Is(err, fs.ErrNotExist) {
		kind = fault.NotFound
	}
	return fault.New(kind, "read the %s in %s", what, path).Cause(err)
}

// copyModel copies the model's files to dir, and the metrics beside them, as a trained
// model has them.
func copyModel(path, dir string, metrics []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable("model", path, err)
	}
	if info.IsDir() {
		err = os.CopyFS(dir, os.DirFS(path))
	} else {
		err = copyFile(path, filepath.Join(dir, filepath.Base(path)))
	}
	if err != nil {
		return fmt.Errorf("copy the model's files from %s: %w", path, err)
	}
	name, err := digest.MetricsName(dir, metrics)
	if err != nil || name == "" {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), metrics, 0o644)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
