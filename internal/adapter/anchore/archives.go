package anchore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"

	"github.com/slipway-cd/slipway/internal/port"
)

// sharedAge is the age up to which a database that another machine downloaded is used
// without asking the source for a newer one: databases are built daily.
const sharedAge = 24 * time.Hour

// archiveFormat names the databases that this scanner reads.
func archiveFormat() string { return fmt.Sprintf("grype-v%d", v6.ModelVersion) }

// takeShared installs the database that another machine downloaded, if it is newer than
// built. Its errors are those of a saving: then the source is asked.
func (s *Scanner) takeShared(ctx context.Context, built time.Time) (taken bool) {
	if s.c.Archives == nil {
		return false
	}
	a, ok, err := s.c.Archives.Newest(ctx, archiveFormat())
	if err != nil || !ok || !a.BuiltAt.After(built) || filepath.Base(a.Name) != a.Name {
		return false
	}
	if s.makeDir() != nil {
		return false
	}
	dir, err := os.MkdirTemp(s.c.Dir, ".incoming-shared-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, a.Name)
	return s.c.Archives.Fetch(ctx, a, file) == nil && s.install(ctx, file, a.Source) == nil
}

// share saves the archive for other machines. One that can't be saved is downloaded there.
func (s *Scanner) share(ctx context.Context, file, name, source string) {
	if s.c.Archives == nil {
		return
	}
	if d, err := s.Status(ctx); err == nil {
		_ = s.c.Archives.Save(ctx, archiveFormat(), port.ScanArchive{Name: name, Source: source, BuiltAt: d.BuiltAt}, file)
	}
}
