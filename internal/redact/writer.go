package redact

import (
	"bytes"
	"io"
	"sync"
)

// maxLine is how much of a line is held back, in bytes.
const maxLine = 64 << 10

// Writer redacts what is written, line by line, so that a secret that arrives in
// two pieces is found. A line longer than 64 KiB is passed on in parts that
// overlap by the longest secret. Close writes what has no line end yet; it leaves
// w open.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	if r == nil || r.values.longest == 0 {
		return nopCloser{w}
	}
	return &lineWriter{text: r.Text, overlap: r.values.longest, next: w}
}

// LineWriter passes what is written on to w, line by line and through text. A
// line longer than 64 KiB is passed on in parts. Close writes what has no line
// end yet; it leaves w open.
func LineWriter(w io.Writer, text func(string) string) io.WriteCloser {
	return &lineWriter{text: text, next: w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

type lineWriter struct {
	text    func(string) string
	overlap int // bytes of a line in parts that may be the beginning of a secret
	next    io.Writer

	mu   sync.Mutex
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 && len(w.rest) > maxLine {
		// Whole secrets go first, so that the cut can't fall into one; what may
		// be the beginning of another stays.
		w.rest = []byte(w.text(string(w.rest)))
		end = max(0, len(w.rest)-w.overlap)
	}
	if err := w.flush(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *lineWriter) flush(end int) error {
	if end == 0 {
		return nil
	}
	text := w.text(string(w.rest[:end]))
	w.rest = append(w.rest[:0], w.rest[end:]...)
	_, err := io.WriteString(w.next, text)
	return err
}

// Close writes what has no line end yet.
func (w *lineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush(len(w.rest))
}
