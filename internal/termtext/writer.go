package termtext

import (
	"io"
	"unicode/utf8"
)

// Characters that begin or end a control sequence (ECMA-48).
const (
	escape     = 0x1b
	bell       = 0x07
	cancel     = 0x18
	substitute = 0x1a
	csi        = 0x9b // ESC [
	st         = 0x9c // ESC \
)

// maxString is how many bytes of a control string are held back until it ends: titles and
// links are shorter.
const maxString = 4 << 10

// Writer passes what is written on to another writer as String does, across the borders of
// writes. It is not safe for concurrent use.
type Writer struct {
	next io.Writer

	state   state
	out     []byte // cleaned, not written yet
	rest    []byte // the beginning of a character
	content []byte // of a control string that has not ended
	held    bool   // an escape character in the control string: perhaps its end
	column  bool   // the line has characters
	wasCR   bool   // the last character was a carriage return
}

// state is what the next character belongs to.
type state int

const (
	ground        state = iota
	escaped             // after ESC
	sequence            // after CSI: parameters, until a letter
	controlString       // after OSC, DCS, SOS, PM or APC: anything, until ST or BEL
)

// NewWriter returns a Writer in front of w.
func NewWriter(w io.Writer) *Writer { return &Writer{next: w} }

// Write cleans p and passes it on. Only the beginning of a character or of a control
// sequence is held back.
func (w *Writer) Write(p []byte) (int, error) {
	if w.state == ground && len(w.rest) == 0 && !w.wasCR && len(p) > 0 && isPlain(string(p)) {
		w.column = p[len(p)-1] != '\n'
		return w.next.Write(p)
	}
	text := p
	if len(w.rest) > 0 {
		text = append(w.rest, p...)
		w.rest = nil
	}
	for len(text) > 0 {
		if !utf8.FullRune(text) {
			w.rest = append([]byte(nil), text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		w.take(r)
		text = text[size:]
	}
	return len(p), w.flush()
}

// Close passes on what was held back. It leaves the writer behind it open.
func (w *Writer) Close() error {
	for range w.rest {
		w.take(utf8.RuneError)
	}
	w.rest = nil
	w.reveal()
	w.state = ground
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.next.Write(w.out)
	w.out = w.out[:0]
	return err
}

// take reads a character. One that does not continue a sequence ends it, and stands for
// itself.
func (w *Writer) take(r rune) {
	switch w.state {
	case escaped:
		w.takeEscaped(r)
	case sequence:
		switch {
		case r >= 0x20 && r < 0x40: // a parameter
		case r >= 0x40 && r < 0x7f:
			w.state = ground
		default:
			w.state = ground
			w.take(r)
		}
	case controlString:
		w.takeString(r)
	default:
		w.takeGround(r)
	}
}

func (w *Writer) takeEscaped(r rune) {
	switch {
	case r == '[':
		w.state = sequence
	case r == ']' || r == 'P' || r == 'X' || r == '^' || r == '_':
		w.state = controlString
	case r >= 0x20 && r < 0x30: // an intermediate character: the sequence goes on
	case r >= 0x30 && r < 0x7f:
		w.state = ground
	default:
		w.state = ground
		w.take(r)
	}
}

// takeString reads a character of a control string. One that does not end on its line, or
// soon, is none: it must not hide what follows.
func (w *Writer) takeString(r rune) {
	held := w.held
	w.held = false
	switch {
	case r == bell || r == st || held && r == '\\':
		w.content, w.state = w.content[:0], ground
	case r == cancel || r == substitute || r == '\n' || r == '\r' || len(w.content) > maxString:
		w.reveal()
		w.take(r)
	case held:
		w.reveal()
		w.state = escaped
		w.take(r)
	case r == escape:
		w.held = true
	default:
		w.content = utf8.AppendRune(w.content, r)
	}
}

// reveal shows the content of a control string that has not ended.
func (w *Writer) reveal() {
	if w.state != controlString {
		return
	}
	content := w.content
	w.content, w.held, w.state = nil, false, ground
	for _, r := range string(content) {
		w.take(r)
	}
}

func (w *Writer) takeGround(r rune) {
	wasCR := w.wasCR
	w.wasCR = r == '\r'
	switch {
	case r == '\n' && wasCR:
	case r == '\r' && wasCR: // one end of a line
	case r == '\r' && !w.column: // a progress bar begins its line with it
		w.wasCR = false
	case r == '\n' || r == '\r':
		w.out, w.column = append(w.out, '\n'), false
	case r == escape:
		w.state = escaped
	case r == csi:
		w.state = sequence
	case r == 0x90 || r == 0x98 || r == 0x9d || r == 0x9e || r == 0x9f:
		w.state = controlString
	case r != '\t' && isControl(r) || isDirection(r):
	default:
		w.out, w.column = utf8.AppendRune(w.out, r), true
	}
}
