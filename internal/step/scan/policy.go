package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// dateFormat is the format of a waiver's last day.
const dateFormat = time.DateOnly

// assessedFinding is a finding with what the policy makes of it.
type assessedFinding struct {
	delivery.Finding
	Blocks          bool
	Note            string // why it does not block, or what is wrong with its waiver
	Why             string // the reason in the waiver or VEX document
	waived          bool
	suppressedByVEX bool
}

// assessment is the gate's verdict, with its reasons.
type assessment struct {
	Verdict  delivery.Verdict
	Findings []assessedFinding // blocking ones first, then as in the report
	Reason   string            // why it is unavailable
	Hint     string
	Notes    []string
}

// assess applies the policy. It is pure. A finding that certainly blocks fails
// the gate, however much is unknown; what is unknown never passes.
func assess(w step.ScanParams, r port.ScanReport, excuses []suppression, now time.Time) assessment {
	j := assessment{Verdict: delivery.Passed}
	used := make([]bool, len(w.Waive))
	blocks := false
	for _, f := range r.Findings {
		one := assessFinding(w, f, excuses, used, now)
		blocks = blocks || one.Blocks
		j.Findings = append(j.Findings, one)
	}
	slices.SortStableFunc(j.Findings, func(a, b assessedFinding) int {
		switch {
		case a.Blocks == b.Blocks:
			return 0
		case a.Blocks:
			return -1
		}
		return 1
	})
	j.Notes = append(j.Notes, staleWaivers(w.Waive, used, now)...)
	if blocks {
		j.Verdict = delivery.Failed
		j.Hint = "update the packages, or waive a finding temporarily: scan.waive: [{id: " + j.Findings[0].ID + ", until: YYYY-MM-DD, why: ...}]"
		return j
	}
	if reason, hint := unavailableReason(w, r, now); reason != "" {
		j.Verdict, j.Reason, j.Hint = delivery.Unavailable, reason, hint
	}
	return j
}

// assessFinding applies the policy to one finding. It marks the waivers that
// apply as used.
func assessFinding(w step.ScanParams, f delivery.Finding, excuses []suppression, used []bool, now time.Time) assessedFinding {
	one := assessedFinding{Finding: f}
	switch {
	case !failsOn(w.FailOn, f.Severity):
		if f.Severity == delivery.UnknownSeverity {
			one.Note = "unrated: counted only with UNKNOWN in fail_on"
		}
		return one
	case w.FixableOnly && len(f.FixedIn) == 0:
		one.Note = "no fix yet"
		return one
	}
	if e, ok := findSuppression(excuses, f); ok {
		one.Note, one.Why, one.suppressedByVEX = "VEX: "+string(e.status), e.reason, true
		return one
	}
	one.Blocks = true
	for i, wv := range w.Waive {
		if !waives(wv, f) {
			continue
		}
		used[i] = true
		if expired(wv, now) {
			one.Note = fmt.Sprintf("its waiver expired on %s (%s)", wv.Until, wv.Reason)
			continue
		}
		one.Blocks, one.waived = false, true
		one.Note, one.Why = "waived until "+wv.Until, wv.Reason
		return one
	}
	return one
}

// failsOn reports whether a severity fails: the lowest that is listed, and all
// above. Unrated findings fail only if UNKNOWN is listed.
func failsOn(failOn []delivery.Severity, s delivery.Severity) bool {
	for _, least := range failOn {
		if s == least || least != delivery.UnknownSeverity && s.AtLeast(least) {
			return true
		}
	}
	return false
}

func waives(w step.Waiver, f delivery.Finding) bool {
	return f.HasID(w.ID) && (w.Package == "" || strings.EqualFold(w.Package, f.Package))
}

// expired reports whether the waiver's last day, in UTC, is over. An invalid date
// waives nothing.
func expired(w step.Waiver, now time.Time) bool {
	last, err := time.Parse(dateFormat, w.Until)
	return err != nil || !now.Before(last.AddDate(0, 0, 1))
}

// staleWaivers lists waivers that apply to nothing.
func staleWaivers(all []step.Waiver, used []bool, now time.Time) []string {
	var notes []string
	for i, w := range all {
		if used[i] {
			continue
		}
		state := "matches no failing finding"
		if expired(w, now) {
			state = "expired on " + w.Until + ", " + state
		}
		notes = append(notes, fmt.Sprintf("the waiver for %s %s and can be removed", waiverName(w), state))
	}
	return notes
}

func waiverName(w step.Waiver) string {
	if w.Package == "" {
		return w.ID
	}
	return w.ID + " in " + w.Package
}

// unavailableReason returns why a scan without findings proves nothing, or "".
func unavailableReason(w step.ScanParams, r port.ScanReport, now time.Time) (reason, hint string) {
	age := now.Sub(r.Database)
	switch {
	case len(r.Gaps) > 0:
		reasons := make([]string, 0, len(r.Gaps))
		for _, g := range r.Gaps {
			reasons = append(reasons, g.What)
			if hint == "" {
				hint = g.Hint
			}
		}
		return strings.Join(reasons, "; "), hint
	case r.Database.IsZero():
		return "the scanner does not report the age of its database", "check the scanner's database manually"
	case w.MaxAge > 0 && age > w.MaxAge.D():
		return fmt.Sprintf("the database is from %s, %s old, more than the allowed %s", r.Database.UTC().Format(dateFormat), formatAge(age), formatAge(w.MaxAge.D())),
			"update it with `slipway scan db update` or `slipway scan db import FILE`; scan.max_age sets the maximum age"
	}
	return "", ""
}

// formatAge formats a duration in days and hours.
func formatAge(d time.Duration) string {
	hours := int(d.Hours())
	switch days := hours / 24; {
	case hours < 1:
		return d.Round(time.Second).String()
	case days < 2:
		return fmt.Sprintf("%dh", hours)
	case hours%24 == 0:
		return fmt.Sprintf("%d days", days)
	default:
		return fmt.Sprintf("%d days %dh", days, hours%24)
	}
}
