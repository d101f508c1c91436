package anchore

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

const maxListingBytes = 1 << 20 // more than any list of one database has

// Update asks the source whether it has a newer database, and takes it; before, one that
// another machine has downloaded.
func (s *Scanner) Update(ctx context.Context, p port.Progress) (port.ScanDatabaseInfo, bool, error) {
	have, err := s.Status(ctx)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return have, false, err
	}
	taken := s.takeShared(ctx, have.BuiltAt)
	if taken {
		if have, err = s.Status(ctx); err != nil || s.c.Now().Sub(have.BuiltAt) < sharedAge {
			return have, err == nil, err
		}
	}
	newer, err := s.findUpdate(ctx, have.BuiltAt)
	if err != nil || newer == nil {
		return have, taken, err
	}
	if err := s.installUpdate(ctx, newer, p); err != nil {
		return have, taken, err
	}
	now, err := s.Status(ctx)
	return now, err == nil, err
}

// findUpdate looks for a database that is newer than built (zero: than none, or than one
// that is damaged), and notes when it did.
func (s *Scanner) findUpdate(ctx context.Context, built time.Time) (*distribution.Archive, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	latest, err := s.latest(ctx)
	if ctx.Err() == context.Canceled {
		return nil, s.sourceError(ctx, err)
	}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(s.c.Dir, checkedFile), []byte(s.c.Now().UTC().Format(time.RFC3339)+"\n")); err != nil {
		return nil, err
	}
	switch {
	case err != nil:
		return nil, s.sourceError(ctx, err)
	case latest == nil:
		return nil, s.sourceError(ctx, fmt.Errorf("%s lists no database", s.listingURL()))
	case latest.SchemaVersion.Model != v6.ModelVersion:
		return nil, s.sourceError(ctx, fmt.Errorf("its database has schema v%d, but this scanner reads v%d", latest.SchemaVersion.Model, v6.ModelVersion))
	case !latest.Built.After(built):
		return nil, nil
	}
	return &latest.Archive, nil
}

func (s *Scanner) latest(ctx context.Context) (*distribution.LatestDocument, error) {
	resp, err := s.get(ctx, s.listingURL())
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return distribution.NewLatestFromReader(http.MaxBytesReader(nil, resp.Body, maxListingBytes))
}

// installUpdate downloads the database, and makes it the one that counts.
func (s *Scanner) installUpdate(ctx context.Context, a *distribution.Archive, p port.Progress) error {
	from, err := url.Parse(s.listingURL())
	if err != nil {
		return s.sourceError(ctx, err)
	}
	from.Path = path.Join(path.Dir(from.Path), path.Clean("/"+a.Path))
	file, err := s.download(ctx, from.String(), a, p)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }() // the next download sweeps
	err = s.install(ctx, file, from.Redacted())
	if err == nil {
		s.share(ctx, file, path.Base(a.Path), from.Redacted())
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		return s.sourceError(ctx, err)
	}
	return err
}
