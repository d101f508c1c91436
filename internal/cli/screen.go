package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/cli/render"
)

// A screen of text: the smallest terminal that people use.
const (
	screenLines   = 24
	screenColumns = 80
)

// labelColumns is the width of the indentation and the label of a field.
const labelColumns = 13

// fieldText is the width of a field's text.
const fieldText = screenColumns - labelColumns

// maxFieldLines is how many lines a long text may take.
const maxFieldLines = 2

// block is what a screen shows of one thing: a headline, fields, and what needs a
// person's attention.
type block struct {
	headline string
	fields   []field
	groups   []attention
	cut      bool // something is not shown, or not whole
}

// field is a labelled line. Those of a lower rank go first if there is no room.
type field struct {
	rank int
	line string
}

// addField adds a line, unless the text is empty.
func (b *block) addField(rank int, label, text string) {
	if text != "" {
		b.fields = append(b.fields, field{rank, b.labelled(label, text, 1)[0]})
	}
}

// attention are entries of one kind, such as waiting runs.
type attention struct {
	label   string // of an entry
	kind    string // "waiting run"
	entries [][]string
}

// labelled breaks a text into lines of the screen's width, the first of them labelled,
// and cuts what does not fit.
func (b *block) labelled(label, text string, most int) []string {
	lines, cut := render.Wrap(text, fieldText, most)
	b.cut = b.cut || cut
	for i := range lines {
		lines[i] = labelledLine(label, lines[i])
		label = ""
	}
	return lines
}

func labelledLine(label, text string) string {
	return fmt.Sprintf("  %-*s%s", labelColumns-2, label, text)
}

// lines returns the block in at most that many lines.
func (b *block) lines(most int) []string {
	most-- // for the headline
	notes := b.fitAttention(max(0, most-min(len(b.fields), most/2)))
	fields := fitFields(b.fields, most-len(notes))
	b.cut = b.cut || len(fields) < len(b.fields)
	out := []string{b.headline}
	for _, f := range fields {
		out = append(out, f.line)
	}
	return append(out, notes...)
}

// fitFields drops the fields of the lowest rank until the others fit.
func fitFields(fields []field, most int) []field {
	out := slices.Clone(fields)
	for len(out) > max(0, most) {
		lowest := 0
		for i, f := range out {
			if f.rank < out[lowest].rank {
				lowest = i
			}
		}
		out = slices.Delete(out, lowest, lowest+1)
	}
	return out
}

// maxEntries is how many of one kind are shown at most.
const maxEntries = 3

// fitAttention shows as many entries of each kind as fit, and counts the others.
func (b *block) fitAttention(most int) []string {
	all := slices.DeleteFunc(slices.Clone(b.groups), func(a attention) bool { return len(a.entries) == 0 })
	shown := make([]int, len(all))
	for i, a := range all {
		shown[i] = min(len(a.entries), maxEntries)
	}
	for {
		var out []string
		cut, longest := false, -1
		for i, a := range all {
			for _, e := range a.entries[:shown[i]] {
				out = append(out, e...)
			}
			switch rest := len(a.entries) - shown[i]; {
			case rest == 0:
			case shown[i] == 0:
				cut, out = true, append(out, labelledLine(a.label, count(rest, a.kind)))
			default:
				cut, out = true, append(out, labelledLine("", "and "+count(rest, "more "+a.kind)))
			}
			if shown[i] > 0 && (longest < 0 || shown[i] >= shown[longest]) {
				longest = i
			}
		}
		if len(out) <= most {
			b.cut = b.cut || cut
			return out
		}
		if longest < 0 {
			return b.countAttention(all, most)
		}
		shown[longest]--
	}
}

// countAttention counts all that needs attention in one line.
func (b *block) countAttention(all []attention, most int) []string {
	b.cut = true
	if most < 1 {
		return nil
	}
	var counts []string
	for _, a := range all {
		counts = append(counts, count(len(a.entries), a.kind))
	}
	return b.labelled("attention", strings.Join(counts, ", "), 1)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
