package termtext

import (
	"bytes"
	"io"
)

// RunnerWriter passes on what is written without the commands that the runner of a CI
// takes from a log: lines of GitHub Actions that begin with "::", and what follows "##[",
// "##vso[" or "##teamcity[" anywhere in a line. Whoever writes a log line, such as a test,
// a pod or a server, could set outputs and variables of the job with them, and the search
// path of its next steps. A space is put into their beginning, so that people can still
// read them. It is not safe for concurrent use.
type RunnerWriter struct {
	next   io.Writer
	begins bool // only spaces stand in the line so far
	colon  bool // then one colon
	hashes int  // before the letters before here
	out    []byte
}

// NewRunnerWriter returns a RunnerWriter in front of w.
func NewRunnerWriter(w io.Writer) *RunnerWriter { return &RunnerWriter{next: w, begins: true} }

// Write passes p on.
func (w *RunnerWriter) Write(p []byte) (int, error) {
	w.out = w.out[:0]
	for _, c := range p {
		if c == ':' && w.colon || c == '[' && w.hashes > 1 {
			w.out = append(w.out, ' ')
		}
		w.out = append(w.out, c)
		w.follow(c)
	}
	if _, err := w.next.Write(w.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// follow notes what the next character would continue.
func (w *RunnerWriter) follow(c byte) {
	w.colon = w.begins && c == ':'
	switch {
	case c == '\n':
		w.begins = true
	case !isSpace(c):
		w.begins = false
	}
	switch {
	case c == '#':
		w.hashes++
	case w.hashes > 1 && isLetter(c): // the name of a command
	default:
		w.hashes = 0
	}
}

// isSpace takes every byte beyond ASCII for a part of a space: the runner trims the
// spaces of Unicode.
func isSpace(c byte) bool { return c <= ' ' || c >= 0x80 }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// escapeRunnerCommands escapes the commands in the strings of a JSON document that may
// stand anywhere in a line. No line of a document begins with a colon.
func escapeRunnerCommands(document []byte) []byte {
	if !bytes.Contains(document, []byte("##")) {
		return document
	}
	out := make([]byte, 0, len(document)+16)
	w := RunnerWriter{}
	for _, c := range document {
		if c == '[' && w.hashes > 1 { // only strings have a #
			out = append(out, `\u005b`...)
		} else {
			out = append(out, c)
		}
		w.follow(c)
	}
	return out
}
