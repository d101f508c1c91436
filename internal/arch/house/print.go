package house

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// Numbers are the figures that a report is held against.
type Numbers struct {
	Tests, Assertions, Refused int
	Upward                     map[string]int // by adapter
}

// Recorded are the figures of commit 16ee5d5, measured by this package.
func Recorded() Numbers {
	return Numbers{Tests: 920, Assertions: 2728, Refused: 706, Upward: map[string]int{
		"internal/adapter/anchore": 4, "internal/adapter/buildkit": 9, "internal/adapter/git": 1, "internal/adapter/ko": 1,
		"internal/adapter/kubernetes": 39, "internal/adapter/local": 11, "internal/adapter/oci": 6, "internal/adapter/process": 5,
		"internal/adapter/sigstore": 2,
	}}
}

// maxUpward is how many edges of an adapter may point upwards: none more than it
// had, and ten in the largest.
const maxUpward = 10

// Broken returns a sentence for each rule that the report breaks.
func (r Report) Broken(before Numbers) []string {
	var out []string
	if r.Tests < before.Tests {
		out = append(out, fmt.Sprintf("%d tests, fewer than the %d recorded", r.Tests, before.Tests))
	}
	if r.Assertions < before.Assertions {
		out = append(out, fmt.Sprintf("%d assertions, fewer than the %d recorded", r.Assertions, before.Assertions))
	}
	for _, adapter := range slices.Sorted(maps.Keys(r.Upward)) {
		limit := maxUpward
		if n, ok := before.Upward[adapter]; ok {
			limit = min(limit, n)
		}
		if n := len(r.Upward[adapter]); n > limit {
			out = append(out, fmt.Sprintf("%s: %d upward imports among its files, at most %d are allowed:%s", adapter, n, limit, list(r.Upward[adapter])))
		}
	}
	for _, h := range r.Refused {
		out = append(out, fmt.Sprintf("%s:%d: %q: write %s", h.File, h.Line, h.Text, h.Instead))
	}
	return out
}

func list(edges []Edge) string {
	text := ""
	for _, e := range edges {
		text += fmt.Sprintf("\n  %s -> %s %v", e.From, e.To, e.Names)
	}
	return text
}

// Print writes the report beside the recorded figures.
func Print(w io.Writer, r Report, verbose bool) {
	before := Recorded()
	fmt.Fprintf(w, "%-42s %8s %8s\n", "", "now", "16ee5d5")
	row := func(name string, now, then int) { fmt.Fprintf(w, "%-42s %8d %8d\n", name, now, then) }
	row("tests", r.Tests, before.Tests)
	row("assertions", r.Assertions, before.Assertions)
	row("refused wordings", len(r.Refused), before.Refused)
	for _, adapter := range slices.Sorted(maps.Keys(r.Upward)) {
		row("upward imports in "+adapter, len(r.Upward[adapter]), before.Upward[adapter])
		if verbose || len(r.Upward[adapter]) > 0 {
			fmt.Fprint(w, list(r.Upward[adapter])[min(1, len(list(r.Upward[adapter]))):])
			if len(r.Upward[adapter]) > 0 {
				fmt.Fprintln(w)
			}
		}
	}
	if verbose {
		for _, h := range r.Refused {
			fmt.Fprintf(w, "%s:%d: %q\n", h.File, h.Line, h.Text)
		}
	}
}
