package scan

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func log4j() delivery.Finding {
	return delivery.Finding{
		ID: "CVE-2021-44228", Aliases: []string{"GHSA-jfh8-c2jp-5v3q"}, Severity: delivery.Critical, Package: "log4j-core",
		Version: "2.14.1", Type: "java", PURL: "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", FixedIn: []string{"2.15.0"},
	}
}

func unfixed(s delivery.Severity) delivery.Finding {
	return delivery.Finding{ID: "CVE-2026-1", Severity: s, Package: "libx", Version: "1", Type: "deb"}
}

func policy(change func(*step.ScanParams)) step.ScanParams {
	w := step.ScanParams{FailOn: []delivery.Severity{delivery.High, delivery.Critical}, MaxAge: delivery.Duration(120 * time.Hour)}
	if change != nil {
		change(&w)
	}
	return w
}

func TestAssess(t *testing.T) {
	now := at("2026-11-24T12:00:00Z")
	waive := func(ws ...step.Waiver) func(*step.ScanParams) { return func(w *step.ScanParams) { w.Waive = ws } }
	waiver := step.Waiver{ID: "CVE-2021-44228", Until: "2026-12-01", Reason: "not reachable"}
	cases := map[string]struct {
		change   func(*step.ScanParams)
		findings []delivery.Finding
		gaps     []port.ScanGap
		built    time.Time // default: an hour ago
		now      time.Time
		want     delivery.Verdict
		wantText string // in the cause, or in the first note
	}{
		"nothing found":            {want: delivery.Passed},
		"critical":                 {findings: []delivery.Finding{log4j()}, want: delivery.Failed, wantText: "scan: 1 finding at or above HIGH: CVE-2021-44228 CRITICAL in log4j-core 2.14.1 (fixed in 2.15.0)"},
		"medium is below":          {findings: []delivery.Finding{unfixed(delivery.Medium)}, want: delivery.Passed},
		"medium, when named":       {change: func(w *step.ScanParams) { w.FailOn = []delivery.Severity{delivery.Medium} }, findings: []delivery.Finding{unfixed(delivery.High)}, want: delivery.Failed, wantText: "at or above MEDIUM: CVE-2026-1 HIGH in libx 1 (no fix yet)"},
		"not rated":                {findings: []delivery.Finding{unfixed(delivery.UnknownSeverity)}, want: delivery.Passed},
		"not rated, when named":    {change: func(w *step.ScanParams) { w.FailOn = append(w.FailOn, delivery.UnknownSeverity) }, findings: []delivery.Finding{unfixed(delivery.UnknownSeverity)}, want: delivery.Failed, wantText: "at or above HIGH or unrated"},
		"only not rated is named":  {change: func(w *step.ScanParams) { w.FailOn = []delivery.Severity{delivery.UnknownSeverity} }, findings: []delivery.Finding{log4j()}, want: delivery.Passed},
		"fixable only":             {change: func(w *step.ScanParams) { w.FixableOnly = true }, findings: []delivery.Finding{unfixed(delivery.Critical)}, want: delivery.Passed},
		"fixable only, fixable":    {change: func(w *step.ScanParams) { w.FixableOnly = true }, findings: []delivery.Finding{log4j()}, want: delivery.Failed},
		"waived":                   {change: waive(waiver), findings: []delivery.Finding{log4j()}, want: delivery.Passed},
		"waived by an alias":       {change: waive(step.Waiver{ID: "ghsa-jfh8-c2jp-5v3q", Until: "2026-12-01", Reason: "w"}), findings: []delivery.Finding{log4j()}, want: delivery.Passed},
		"waived in another":        {change: waive(step.Waiver{ID: waiver.ID, Package: "other", Until: "2026-12-01", Reason: "w"}), findings: []delivery.Finding{log4j()}, want: delivery.Failed},
		"waived in this one":       {change: waive(step.Waiver{ID: waiver.ID, Package: "Log4J-core", Until: "2026-12-01", Reason: "w"}), findings: []delivery.Finding{log4j()}, want: delivery.Passed},
		"last moment of the day":   {change: waive(waiver), findings: []delivery.Finding{log4j()}, now: at("2026-12-01T23:59:59Z"), built: at("2026-12-01T00:00:00Z"), want: delivery.Passed},
		"the day is over":          {change: waive(waiver), findings: []delivery.Finding{log4j()}, now: at("2026-12-02T00:00:00Z"), built: at("2026-12-01T00:00:00Z"), want: delivery.Failed, wantText: "its waiver expired on 2026-12-01 (not reachable)"},
		"over elsewhere only":      {change: waive(waiver), findings: []delivery.Finding{log4j()}, now: at("2026-12-02T01:00:00+03:00"), built: at("2026-12-01T00:00:00Z"), want: delivery.Passed},
		"one expired, one not":     {change: waive(step.Waiver{ID: waiver.ID, Until: "2026-11-01", Reason: "old"}, waiver), findings: []delivery.Finding{log4j()}, want: delivery.Passed},
		"waiver of nothing":        {change: waive(step.Waiver{ID: "CVE-1", Until: "2026-11-01", Reason: "old"}), want: delivery.Passed, wantText: "the waiver for CVE-1 expired on 2026-11-01, matches no failing finding and can be removed"},
		"a day that is none":       {change: waive(step.Waiver{ID: waiver.ID, Until: "soon", Reason: "w"}), findings: []delivery.Finding{log4j()}, want: delivery.Failed},
		"gap":                      {gaps: []port.ScanGap{{What: "the distribution is unknown", Hint: "h"}}, want: delivery.Unavailable, wantText: "scan is unavailable: the distribution is unknown"},
		"gap, and a finding":       {gaps: []port.ScanGap{{What: "x"}}, findings: []delivery.Finding{log4j()}, want: delivery.Failed},
		"gap, and a waived one":    {change: waive(waiver), gaps: []port.ScanGap{{What: "x"}}, findings: []delivery.Finding{log4j()}, want: delivery.Unavailable},
		"old database":             {built: at("2026-11-18T12:00:00Z"), want: delivery.Unavailable, wantText: "the database is from 2026-11-18, 6 days old, more than the allowed 5 days"},
		"just not too old":         {built: at("2026-11-19T12:00:00Z"), want: delivery.Passed},
		"old, and a finding":       {built: at("2026-11-01T12:00:00Z"), findings: []delivery.Finding{log4j()}, want: delivery.Failed},
		"database of no known age": {built: time.Unix(0, 0), change: func(w *step.ScanParams) { w.MaxAge = 0 }, want: delivery.Passed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := policy(c.change)
			if c.now.IsZero() {
				c.now = now
			}
			if c.built.IsZero() {
				c.built = c.now.Add(-time.Hour)
			}
			j := assess(w, port.ScanReport{Database: c.built, Findings: c.findings, Gaps: c.gaps}, nil, c.now)
			if j.Verdict != c.want {
				t.Fatalf("verdict = %s, want %s: %+v", j.Verdict, c.want, j)
			}
			if j.Verdict != delivery.Passed && j.Hint == "" && len(c.gaps) == 0 {
				t.Error("hint is empty, want one")
			}
			text := strings.Join(j.Notes, "\n")
			if j.Verdict != delivery.Passed {
				text += failureCause(w, j)
			}
			if !strings.Contains(text, c.wantText) {
				t.Errorf("text = %q, want %q in it", text, c.wantText)
			}
		})
	}
}

func TestAssess_UnknownDatabaseAge(t *testing.T) {
	j := assess(policy(nil), port.ScanReport{}, nil, at("2026-11-24T12:00:00Z"))
	if j.Verdict != delivery.Unavailable || !strings.Contains(j.Reason, "does not report the age") {
		t.Errorf("verdict = %s (%q), want %s for the unknown age", j.Verdict, j.Reason, delivery.Unavailable)
	}
}

func TestFailureCause_ListsFirstFindings(t *testing.T) {
	var all []delivery.Finding
	for range 9 {
		all = append(all, log4j())
	}
	w := policy(nil)
	j := assess(w, port.ScanReport{Database: at("2026-11-24T00:00:00Z"), Findings: all}, nil, at("2026-11-24T12:00:00Z"))
	text := failureCause(w, j)
	if !strings.HasPrefix(text, "scan: 9 findings at or above HIGH: ") || !strings.HasSuffix(text, "; and 4 more") || strings.Contains(text, "\n") {
		t.Error(text)
	}
}
