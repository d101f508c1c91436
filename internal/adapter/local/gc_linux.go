package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/supervisor"
)

// contentName matches a folder named by a digest, and files that belong to it.
var contentName = regexp.MustCompile(`^[0-9a-f]{64}(\.[a-z]+)?$`)

// ListUnused lists the unpacked images and downloaded models that no environment
// uses and that have not changed since before. They can be removed and are
// downloaded again when needed.
func (t *Target) ListUnused(_ context.Context, before time.Time) ([]string, error) {
	state, err := supervisor.ReadState(t.cfg.Dir)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, e := range state.Environments {
		for _, p := range []*supervisor.ReleaseSpec{e.Promoted, e.Staged} {
			if p != nil {
				used[filepath.Base(p.Spec.Rootfs)], used[filepath.Base(p.Spec.Model)] = true, true
			}
		}
	}
	var unused []string
	for _, kind := range []string{"rootfs", "models"} {
		dir := filepath.Join(t.cfg.Dir, kind)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			digest, extension, _ := strings.Cut(e.Name(), ".")
			used := used[digest] && extension != changedExtension
			info, err := e.Info()
			if err != nil || !contentName.MatchString(e.Name()) || used || !info.ModTime().Before(before) {
				continue
			}
			unused = append(unused, filepath.Join(dir, e.Name()))
		}
	}
	return unused, nil
}
