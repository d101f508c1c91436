package manifest

import (
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// diffContext is how many equal lines are shown around a difference.
const diffContext = 2

// Diff returns what differs between two texts, line by line, with a little context.
func Diff(before, after string) string {
	a, b := splitLines(before), splitLines(after)
	var out []string
	add := func(prefix string, lines []string) {
		for _, line := range lines {
			out = append(out, prefix+line)
		}
	}
	for _, hunk := range difflib.NewMatcher(a, b).GetGroupedOpCodes(diffContext) {
		for _, op := range hunk {
			if op.Tag == 'e' {
				add("  ", a[op.I1:op.I2])
				continue
			}
			add("- ", a[op.I1:op.I2])
			add("+ ", b[op.J1:op.J2])
		}
	}
	return strings.Join(out, "\n")
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
