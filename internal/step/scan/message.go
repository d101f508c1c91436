package scan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxNamedFindings is how many findings the cause lists.
const maxNamedFindings = 5

// failureCause returns in one line why the gate has failed.
func failureCause(w step.ScanParams, j assessment) string {
	if j.Verdict == delivery.Unavailable {
		return "scan is unavailable: " + j.Reason
	}
	var parts []string
	blocking := j.blocking()
	for i, f := range blocking {
		if i == maxNamedFindings {
			parts = append(parts, fmt.Sprintf("and %d more", len(blocking)-maxNamedFindings))
			break
		}
		parts = append(parts, f.String())
	}
	return fmt.Sprintf("scan: %s %s: %s", plural(len(blocking), "finding"), thresholdText(w.FailOn), strings.Join(parts, "; "))
}

// String is "CVE-2021-44228 CRITICAL in log4j-core 2.14.1 (fixed in 2.15.0)".
func (f assessedFinding) String() string {
	text := fmt.Sprintf("%s %s in %s %s", f.ID, f.Severity, f.Package, f.Version)
	switch {
	case len(f.FixedIn) > 0:
		text += fmt.Sprintf(" (fixed in %s)", strings.Join(f.FixedIn, ", "))
	default:
		text += " (no fix yet)"
	}
	if f.Blocks && f.Note != "" {
		text += ", " + f.Note
	}
	return text
}

// thresholdText describes which severities fail.
func thresholdText(failOn []delivery.Severity) string {
	least := delivery.Severity("")
	unrated := false
	for _, s := range failOn {
		if s == delivery.UnknownSeverity {
			unrated = true
		} else if least == "" || least.WorseThan(s) {
			least = s
		}
	}
	switch {
	case least == "":
		return "that are unrated"
	case unrated:
		return "at or above " + string(least) + " or unrated"
	}
	return "at or above " + string(least)
}

// gateEvidence is one line: "0 of 12 findings at or above HIGH, 1 waived; 93 deb,
// 31 python; database of 2026-11-24".
func gateEvidence(w step.ScanParams, j assessment, r port.ScanReport) string {
	if j.Verdict == delivery.Unavailable {
		return j.Reason
	}
	parts := []string{fmt.Sprintf("%d of %s %s", len(j.blocking()), plural(len(j.Findings), "finding"), thresholdText(w.FailOn))}
	for _, c := range []struct {
		count int
		words string
	}{{j.count(func(f assessedFinding) bool { return f.waived }), "waived"}, {j.count(func(f assessedFinding) bool { return f.suppressedByVEX }), "suppressed by VEX"}, {j.unrated(w), "unrated"}} {
		if c.count > 0 {
			parts[0] += fmt.Sprintf(", %d %s", c.count, c.words)
		}
	}
	if p := formatPackages(r.Packages); p != "" {
		parts = append(parts, p)
	}
	if !r.Database.IsZero() {
		parts = append(parts, "database of "+r.Database.UTC().Format(time.DateOnly))
	}
	return strings.Join(parts, "; ")
}

// scanSummary describes what was scanned: the first line of the log.
func scanSummary(r port.ScanReport) string {
	if r.Scanner == "" {
		return "nothing was scanned"
	}
	text := r.Scanner + " scanned " + cmp.Or(formatPackages(r.Packages), "no packages")
	if r.Distribution != "" {
		text += " on " + r.Distribution
	}
	if !r.Database.IsZero() {
		text += "; database built " + r.Database.UTC().Format(time.DateTime)
	}
	return text
}

// formatPackages returns "93 deb, 31 python".
func formatPackages(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(parts, ", ")
}

func (j assessment) blocking() []assessedFinding {
	n := j.count(func(f assessedFinding) bool { return f.Blocks })
	return j.Findings[:n] // they come first
}

func (j assessment) count(is func(assessedFinding) bool) int {
	n := 0
	for _, f := range j.Findings {
		if is(f) {
			n++
		}
	}
	return n
}

// unrated counts findings without a rating, which therefore do not fail.
func (j assessment) unrated(w step.ScanParams) int {
	if slices.Contains(w.FailOn, delivery.UnknownSeverity) {
		return 0
	}
	return j.count(func(f assessedFinding) bool { return f.Severity == delivery.UnknownSeverity })
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
