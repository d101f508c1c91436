// Package anchore looks into images with syft and grype, as libraries: what an
// image is made of, and which known vulnerabilities that has. Neither of them
// prints, and nothing here calls out but Update.
package anchore

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/sbom"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The environment variables that say where the database is, and where it comes
// from.
const (
	DatabaseDirVariable = "SLIPWAY_SCAN_DB"
	DatabaseURLVariable = "SLIPWAY_SCAN_DB_URL"
)

// Config of a Scanner.
type Config struct {
	Dir string           // absolute folder of the database; several Slipways may share it
	URL string           // where databases are listed; default: grype's own
	Now func() time.Time // default time.Now
}

// Scanner fulfils port.Scanner, port.ScanDatabase and port.SBOMGenerator. Nothing is
// opened before it is needed.
type Scanner struct {
	c        Config
	verified verifiedDatabase
	licenses func() (context.Context, error) // a context that holds the reader of licences: it takes a second to make
}

var (
	_ port.Scanner       = (*Scanner)(nil)
	_ port.ScanDatabase  = (*Scanner)(nil)
	_ port.SBOMGenerator = (*Scanner)(nil)
)

// New makes a Scanner.
func New(c Config) *Scanner {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Scanner{c: c, licenses: sync.OnceValues(func() (context.Context, error) {
		return syft.SetContextLicenseScanner(context.Background(), cataloging.DefaultLicenseConfig())
	})}
}

// Scan lists what every platform of the image is made of, and looks it up.
func (s *Scanner) Scan(ctx context.Context, o port.ScanRequest) (port.ScanReport, error) {
	say := o.OnProgress
	if say == nil {
		say = func(string) {}
	}
	lists, err := s.platformPackages(ctx, o.Layout, o.Image, o.CacheDir)
	if err != nil {
		return port.ScanReport{}, err
	}
	db, err := s.openDatabase()
	if err != nil {
		return port.ScanReport{}, err
	}
	defer db.close()
	report := port.ScanReport{Scanner: "grype " + moduleVersion("github.com/anchore/grype"), Database: db.built, Packages: map[string]int{}}
	say("matching packages against the vulnerability database")
	for _, list := range lists {
		if err := s.matchPlatform(ctx, db, list, &report); err != nil {
			return port.ScanReport{}, err
		}
	}
	report.Findings = port.DedupeFindings(report.Findings)
	return report, nil
}

// matchPlatform adds what is known of one platform's packages to the report.
func (s *Scanner) matchPlatform(ctx context.Context, db *database, list *sbom.SBOM, report *port.ScanReport) error {
	l := newPackageMatcher(db, list, s.c.Now())
	found, err := l.match(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("match the packages: %w", context.Cause(ctx))
		}
		return fault.New(fault.Unavailable, "match the packages against %s", db.path).Cause(err).
			Hint("download the database again: `slipway scan db update`")
	}
	report.Findings = append(report.Findings, found...)
	if l.distribution != nil {
		report.Distribution = distroName(l.distribution)
	}
	for kind, n := range l.countByEcosystem() {
		report.Packages[kind] += n
	}
	gaps, notes := l.gaps()
	report.Gaps = append(report.Gaps, gaps...)
	report.Notes = append(report.Notes, notes...)
	return nil
}

// platformPackages lists the packages of every platform of the image.
func (s *Scanner) platformPackages(ctx context.Context, layout string, image delivery.Image, keep string) ([]*sbom.SBOM, error) {
	platforms, err := platforms(layout, image.Digest)
	if err != nil {
		return nil, err
	}
	var lists []*sbom.SBOM
	for _, p := range platforms {
		list, err := s.packages(ctx, p, image, keep)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// moduleVersion is a library's version, as it was built in: "0.121.2".
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == path && len(d.Version) > 1 {
			return d.Version[1:]
		}
	}
	return "unknown"
}
