// Package logcap keeps the beginning and the end of a long log: a command that never
// stops printing fills no disk, and why it failed is still there to read.
package logcap

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// MaxTail is how much of the end of a log is kept, in bytes. It is held in memory.
const MaxTail = 1 << 20

// Writer passes on what is written until a limit. A line marks where the limit was
// reached; Close writes how much was left out, and the end. Safe for concurrent use.
type Writer struct {
	next io.Writer
	max  int64

	mu     sync.Mutex
	passed int64
	full   bool
	cut    int64 // bytes after the limit, those in tail included
	tail   []byte
}

// New returns a Writer that passes on the first maxBytes bytes.
func New(next io.Writer, maxBytes int64) *Writer { return &Writer{next: next, max: maxBytes} }

// Write passes on whole lines as long as they fit. What does not fit counts as written.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fits := p
	if w.full {
		fits = nil
	} else if room := w.max - w.passed; int64(len(p)) > room {
		fits = wholeLines(p[:room])
		w.full = true
	}
	n, err := w.pass(fits)
	if err != nil {
		return n, err
	}
	if !w.full {
		return n, nil
	}
	if rest := p[len(fits):]; len(rest) > 0 {
		if err := w.leaveOut(rest); err != nil {
			return len(fits), err
		}
	}
	return len(p), nil
}

func (w *Writer) pass(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := w.next.Write(p)
	w.passed += int64(n)
	return n, err
}

// wholeLines returns the lines that end in p, or all of p if none does.
func wholeLines(p []byte) []byte {
	if end := bytes.LastIndexByte(p, '\n') + 1; end > 0 {
		return p[:end]
	}
	return p
}

// leaveOut keeps the end of what does not fit.
func (w *Writer) leaveOut(p []byte) error {
	first := w.cut == 0
	w.cut += int64(len(p))
	w.tail = append(w.tail, p[max(0, len(p)-MaxTail):]...)
	if len(w.tail) > 2*MaxTail {
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-MaxTail:]...)
	}
	if !first {
		return nil
	}
	_, err := fmt.Fprintf(w.next, "\n[slipway] This log has reached its limit of %d bytes. Of what follows, only the last %d bytes are kept.\n", w.max, MaxTail)
	return err
}

// Close writes what was kept of the end. It leaves the next writer open.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut == 0 {
		return nil
	}
	tail := w.tail[max(0, len(w.tail)-MaxTail):]
	if w.cut > int64(len(tail)) { // its first line is only the end of one
		tail = tail[bytes.IndexByte(tail, '\n')+1:]
	}
	note := ""
	if missing := w.cut - int64(len(tail)); missing > 0 {
		note = fmt.Sprintf("[slipway] %d bytes were left out here.\n", missing)
	}
	w.cut, w.tail = 0, nil
	_, err := w.next.Write(append([]byte(note), tail...))
	return err
}
