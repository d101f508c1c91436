package anchore

import (
	"context"
	"fmt"

	"github.com/anchore/syft/syft/sbom"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

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
