package scan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// mostNamed is how many findings the cause's one line names.
const mostNamed = 5

// cause is why the gate did not let the image through, in one line.
func cause(w step.ScanParams, j judgement) string {
	if j.Verdict == delivery.Unavailable {
		return "scan is unavailable: " + j.Reason
	}
	var said []string
	blocking := j.blocking()
	for i, f := range blocking {
		if i == mostNamed {
			said = append(said, fmt.Sprintf("and %d more", len(blocking)-mostNamed))
			break
		}
		said = append(said, f.String())
	}
	return fmt.Sprintf("scan: %s %s: %s", plural(len(blocking), "finding"), floor(w.FailOn), strings.Join(said, "; "))
}

// String is "CVE-2021-44228 CRITICAL in log4j-core 2.14.1 (fixed in 2.15.0)".
func (f judged) String() string {
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

// floor says which severities fail.
func floor(failOn []delivery.Severity) string {
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
		return "that is not rated"
	case unrated:
		return "at or above " + string(least) + " or not rated"
	}
	return "at or above " + string(least)
}

// evidence is the answer's one line: "0 of 12 findings at or above HIGH, 1 waived;
// 93 deb, 31 python; database of 2026-11-24".
func evidence(w step.ScanParams, j judgement, r port.ScanReport) string {
	if j.Verdict == delivery.Unavailable {
		return j.Reason
	}
	said := []string{fmt.Sprintf("%d of %s %s", len(j.blocking()), plural(len(j.Findings), "finding"), floor(w.FailOn))}
	for _, c := range []struct {
		count int
		words string
	}{{j.count(func(f judged) bool { return f.waived }), "waived"}, {j.count(func(f judged) bool { return f.vexed }), "excused by VEX"}, {j.unrated(w), "not rated"}} {
		if c.count > 0 {
			said[0] += fmt.Sprintf(", %d %s", c.count, c.words)
		}
	}
	if p := packages(r.Packages); p != "" {
		said = append(said, p)
	}
	if !r.Database.IsZero() {
		said = append(said, "database of "+r.Database.UTC().Format(time.DateOnly))
	}
	return strings.Join(said, "; ")
}

// looked says what was looked at: the first line of the log.
func looked(r port.ScanReport) string {
	if r.Scanner == "" {
		return "nothing was looked at"
	}
	said := r.Scanner + " looked at " + orElse(packages(r.Packages), "no package")
	if r.Distribution != "" {
		said += " on " + r.Distribution
	}
	if !r.Database.IsZero() {
		said += "; its database is of " + r.Database.UTC().Format(time.DateTime)
	}
	return said
}

// packages is "93 deb, 31 python".
func packages(counts map[string]int) string {
	var said []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		said = append(said, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(said, ", ")
}

func (j judgement) blocking() []judged {
	n := j.count(func(f judged) bool { return f.Blocks })
	return j.Findings[:n] // they come first
}

func (j judgement) count(is func(judged) bool) int {
	n := 0
	for _, f := range j.Findings {
		if is(f) {
			n++
		}
	}
	return n
}

// unrated counts findings that nobody rated and that therefore do not fail.
func (j judgement) unrated(w step.ScanParams) int {
	if slices.Contains(w.FailOn, delivery.UnknownSeverity) {
		return 0
	}
	return j.count(func(f judged) bool { return f.Severity == delivery.UnknownSeverity })
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
