package buildkit

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

var _ port.UnusedLister = (*Builder)(nil)

// ListUnused lists the folder that earlier versions kept their BuildKit in, once that
// has ended. What it keeps now BuildKit itself prunes.
func (b *Builder) ListUnused(context.Context, time.Time) ([]string, error) {
	if b.c.Former == "" || !removable(b.c.Former) || b.daemon(b.c.Former, "").alive() {
		return nil, nil
	}
	return []string{b.c.Former}, nil
}

// removable reports whether the folder is there and can be removed: the BuildKit of an
// ordinary user may leave files of other users, which rootlesskit can remove.
func removable(dir string) bool {
	return filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }) == nil
}
