// Package textline makes one printable line of text that comes from elsewhere: the
// output of tools, messages of a cluster, names in an image. Control characters in
// it must not move a terminal's cursor, nor line breaks forge a line of output.
package textline

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s as one line: white space, control characters and what is not
// printable or not UTF-8 become single spaces, none at the ends. If the line has
// more than limit characters it is cut and ends in an ellipsis; a limit of 0 is none.
func Printable(s string, limit int) string {
	if enough := 4 * utf8.UTFMax * limit; limit > 0 && len(s) > enough {
		s = s[:enough] // a huge message is not looked at as a whole
	}
	line := strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == utf8.RuneError
	}), " ")
	if limit > 0 && utf8.RuneCountInString(line) > limit {
		return string([]rune(line)[:limit-1]) + "…"
	}
	return line
}

// First returns the first line of s that is not blank, without white space around it.
func First(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

// Last returns the last line of s that is not blank, without white space around it.
func Last(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
