// Package termtext makes text from elsewhere safe to show: the output of commands and
// pods, messages of servers, names that others chose. A terminal obeys control sequences
// in a text. They set its title, move the cursor over what stands there already, or write
// to the clipboard; and the overrides of Unicode's bidirectional algorithm show a line in
// another order than it has. Whoever writes a log could so forge what its reader sees.
package termtext

import (
	"strings"
	"unicode/utf8"
)

// The rune controls of bidirectional text: embeddings, overrides and isolates. Marks
// (U+200E, U+200F, U+061C) stay: they move nothing but themselves.
const (
	firstEmbedding, lastEmbedding = '\u202a', '\u202e'
	firstIsolate, lastIsolate     = '\u2066', '\u2069'
)

// String returns s without control sequences, other control characters and controls of
// the text's direction. Line feeds and tabs stay. A carriage return becomes a line feed,
// unless one follows: it would put what comes next over the line. A byte that is not UTF-8
// becomes U+FFFD.
func String(s string) string {
	if isPlain(s) {
		return s
	}
	var out strings.Builder
	w := NewWriter(&out)
	_, _ = w.Write([]byte(s)) // a strings.Builder has no error
	_ = w.Close()
	return out.String()
}

// isPlain reports whether nothing in s has to be removed.
func isPlain(s string) bool {
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
		case isControl(r) || isDirection(r):
			return false
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}

// isControl reports whether r is one of the control characters of ECMA-48 (C0, DEL, C1).
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

func isDirection(r rune) bool {
	return r >= firstEmbedding && r <= lastEmbedding || r >= firstIsolate && r <= lastIsolate
}

// JSON returns a JSON document in which characters that String removes, and that JSON
// allows in a string, are escaped, as are commands for the runner of a CI: the document
// means the same, and a terminal shows it.
func JSON(document []byte) []byte {
	document = escapeRunnerCommands(document)
	if isPlain(string(document)) {
		return document
	}
	out := make([]byte, 0, len(document)+64)
	for _, r := range string(document) {
		if r >= 0x7f && (isControl(r) || isDirection(r)) {
			out = append(out, '\\', 'u', hex(r>>12), hex(r>>8), hex(r>>4), hex(r))
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func hex(r rune) byte { return "0123456789abcdef"[r&0xf] }
