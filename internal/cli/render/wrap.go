package render

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks a text into lines of a width, between words where it can, and cuts it
// after a number of lines. Line breaks and control characters in it become spaces.
func Wrap(text string, width, most int) (lines []string, cut bool) {
	rest := []rune(strings.Join(strings.Fields(printable(strings.ReplaceAll(text, "\n", " "))), " "))
	for len(lines) < most {
		if len(rest) <= width {
			return append(lines, string(rest)), false
		}
		if len(lines) == most-1 {
			break
		}
		end := width
		for i := width; i > width/2; i-- {
			if rest[i] == ' ' {
				end = i
				break
			}
		}
		lines = append(lines, string(rest[:end]))
		rest = []rune(strings.TrimLeft(string(rest[end:]), " "))
	}
	return append(lines, string(rest[:width-1])+"…"), true
}

// Cut shortens a text to a width, with an ellipsis.
func Cut(text string, width int) string {
	lines, _ := Wrap(text, width, 1)
	return lines[0]
}

// CutLine is Cut for a line whose spaces stay as they are.
func CutLine(text string, width int) string { return cut(printable(text), width) }

// Width is the number of columns of a text.
func Width(text string) int { return utf8.RuneCountInString(text) }
