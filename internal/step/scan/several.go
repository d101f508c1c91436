package scan

import (
	"context"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// scanners returns those of the plan, in its order.
func (s Step) scanners(w step.ScanParams) ([]port.Scanner, error) {
	var all []port.Scanner
	for _, name := range append([]string{w.Scanner}, w.Also...) {
		scanner, ok := s.Scanners[name]
		if !ok {
			return nil, fault.New(fault.Invalid, "scan: unknown scanner %q", name)
		}
		all = append(all, scanner)
	}
	return all, nil
}

// scan asks one scanner after the other, and returns their reports as one: what any of
// them found counts, and what one could not look at is unknown. Once the image has
// failed, the others are not asked: it needs to be uploaded nowhere.
func (s Step) scan(ctx context.Context, w step.ScanParams, scanners []port.Scanner, excuses []suppression, req port.ScanRequest) (port.ScanReport, assessment, error) {
	var all port.ScanReport
	var j assessment
	for i, scanner := range scanners {
		report, err := scanner.Scan(ctx, req)
		if err != nil && (ctx.Err() != nil || !fault.Is(err, fault.Unavailable)) {
			return report, j, err
		}
		if len(scanners) == 1 {
			return report, s.assess(w, report, excuses, err), nil
		}
		if err != nil {
			report = port.ScanReport{Gaps: []port.ScanGap{{What: err.Error(), Hint: fault.HintOf(err)}}}
		}
		if i == 0 {
			all = report
		} else {
			all = bothReports(all, report)
		}
		if j = s.assess(w, all, excuses, nil); j.Verdict == delivery.Failed {
			break
		}
	}
	return all, j, nil
}

// bothReports is what two scanners know of an image. The older data counts.
func bothReports(a, b port.ScanReport) port.ScanReport {
	switch {
	case a.Scanner == "":
		a.Scanner, a.Database = b.Scanner, b.Database
	case b.Scanner != "":
		a.Scanner += " and " + b.Scanner
		if b.Database.Before(a.Database) {
			a.Database = b.Database
		}
	}
	if a.Distribution == "" {
		a.Distribution = b.Distribution
	}
	if a.Packages == nil {
		a.Packages = b.Packages
	}
	a.Findings, a.Gaps, a.Notes = append(a.Findings, b.Findings...), append(a.Gaps, b.Gaps...), append(a.Notes, b.Notes...)
	return a
}
