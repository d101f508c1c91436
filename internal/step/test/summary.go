package test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/step"
	"github.com/slipway-cd/slipway/internal/textline"
)

// How much of the failures is kept: enough to read, little enough to record.
const (
	maxFailures      = 100
	maxMessageBytes  = 2 << 10 // bytes
	maxNamedFailures = 3       // listed in the cause
)

// tally counts while a report is read.
type tally struct {
	passed, failed, skipped int
	flaky                   int // of those that passed: only when they were run again
	failures                []step.TestFailure
	flakyTests              []string // names
}

func (t *tally) fail(f step.TestFailure) {
	t.failed++
	if len(t.failures) < maxFailures {
		f.Name, f.Message = truncate(f.Name, maxMessageBytes), truncate(strings.TrimSpace(withoutColors(f.Message)), maxMessageBytes)
		t.failures = append(t.failures, f)
	}
}

// flake counts a test that failed and then passed.
func (t *tally) flake(name string) {
	t.flaky++
	if len(t.flakyTests) < maxFailures {
		t.flakyTests = append(t.flakyTests, truncate(name, maxMessageBytes))
	}
}

// unflake takes that back: the test failed once more.
func (t *tally) unflake(name string) {
	t.flaky--
	if i := slices.Index(t.flakyTests, truncate(name, maxMessageBytes)); i >= 0 {
		t.flakyTests = slices.Delete(t.flakyTests, i, i+1)
	}
}

// terminalColor is a terminal's escape sequence, with ESC as it is in a report: itself,
// what replaces it in XML, or as pytest writes it.
var terminalColor = regexp.MustCompile("(?:\\x1b|\uFFFD|#x1B)\\[[0-9;?]*[A-Za-z]")

func withoutColors(text string) string { return terminalColor.ReplaceAllString(text, "") }

// full reports whether further failures are only counted: their locations need
// not be found.
func (t *tally) full() bool { return len(t.failures) >= maxFailures }

func (t *tally) add(o tally) {
	t.passed, t.skipped = t.passed+o.passed, t.skipped+o.skipped
	for _, name := range o.flakyTests {
		t.flake(name)
	}
	t.flaky += o.flaky - len(o.flakyTests)
	for _, f := range o.failures {
		t.fail(f)
	}
	t.failed += o.failed - len(o.failures)
}

// counted is a finished tally with its texts.
type counted struct{ step.TestOutput }

func (t tally) tested() counted {
	return counted{step.TestOutput{Passed: t.passed, Failed: t.failed, Skipped: t.skipped, Flaky: t.flaky, Failures: t.failures, FlakyTests: t.flakyTests}}
}

// summary returns "212 passed, 1 flaky, 3 skipped". Flaky tests are among those that
// passed.
func (c counted) summary(f step.ReportFormat) string {
	switch {
	case f == step.NoReport:
		return "exit 0"
	case f == step.Ruff && c.Failed == 0:
		return "no findings"
	case f == step.Ruff:
		return formatFindings(c.Failed)
	}
	parts := []string{fmt.Sprintf("%d passed", c.Passed)}
	if c.Failed > 0 {
		parts = append([]string{fmt.Sprintf("%d failed", c.Failed)}, parts...)
	}
	if c.Flaky > 0 {
		parts = append(parts, fmt.Sprintf("%d flaky", c.Flaky))
	}
	if c.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", c.Skipped))
	}
	return strings.Join(parts, ", ")
}

// cause lists the first failures: "2 of 30 failed: TestA (a_test.go:7): want 3".
func (c counted) cause(f step.ReportFormat) string {
	var parts []string
	for i, f := range c.Failures {
		if i == maxNamedFailures {
			parts = append(parts, fmt.Sprintf("and %d more", c.Failed-maxNamedFailures))
			break
		}
		line := f.Name
		if f.Location != "" {
			line += " (" + f.Location + ")"
		}
		if m := textline.First(f.Message); m != "" {
			line += ": " + truncate(m, 160)
		}
		parts = append(parts, line)
	}
	if f == step.Ruff {
		return formatFindings(c.Failed) + ": " + strings.Join(parts, "; ")
	}
	return fmt.Sprintf("%d of %d failed: %s", c.Failed, c.Failed+c.Passed, strings.Join(parts, "; "))
}

func formatFindings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

// truncate shortens to at most n bytes of whole characters.
func truncate(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
