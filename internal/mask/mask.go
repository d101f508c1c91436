// Package mask takes the values of secrets out of everything that people and
// files get. It knows them by the names of the variables that hold them.
package mask

import (
	"bytes"
	"io"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/event"
)

// masked stands where a secret was.
const masked = "***"

// secretName tells by its name that an environment variable holds a secret.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|passphrase|credential|private_?key|api_?key|access_?key|webhook|_dsn$)`)

// shortest is the length in bytes below which a value is not masked: replacing
// "1" or "main" everywhere would hide the log and not a secret.
const shortest = 8

// Redactor replaces the values of secrets in everything that people and files get.
type Redactor struct{ values []string }

// New finds the secrets in an environment ("K=V") by their names and in the
// addresses among its values (a package index's), and adds the values named in
// extra. Longer values are replaced first.
func New(environ []string, extra ...string) *Redactor {
	m := &Redactor{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if secretName.MatchString(name) {
			m.add(value)
		}
		m.addresses(value)
	}
	for _, v := range extra {
		m.add(v)
		m.addresses(v)
	}
	sort.Slice(m.values, func(i, j int) bool { return len(m.values[i]) > len(m.values[j]) })
	return m
}

func (m *Redactor) add(value string) {
	for _, line := range strings.Split(value, "\n") {
		if line = strings.TrimSpace(line); len(line) >= shortest {
			m.values = append(m.values, line)
		}
	}
}

// userinfo is what stands before the host in an address: a password after a
// colon, or with HTTP a token alone.
var userinfo = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:([^\s/@]+)@|https?://([^\s/@:]+)@`)

// addresses adds the credentials of the addresses in value, as they stand there
// and as they are sent.
func (m *Redactor) addresses(value string) {
	for _, found := range userinfo.FindAllStringSubmatch(value, -1) {
		secret := found[1] + found[2]
		m.add(secret)
		if plain, err := url.PathUnescape(secret); err == nil && plain != secret {
			m.add(plain)
		}
	}
}

// Contains tells whether a value is, or has in it, one of the secrets.
func (m *Redactor) Contains(value string) bool { return m.Text(value) != value }

// Text is s with every secret replaced.
func (m *Redactor) Text(s string) string {
	for _, v := range m.values {
		s = strings.ReplaceAll(s, v, masked)
	}
	return s
}

// Sink masks what events say before they go on.
func (m *Redactor) Sink(next event.Sink) event.Sink {
	return event.SinkFunc(func(e event.Event) {
		e.Text, e.Hint = m.Text(e.Text), m.Text(e.Hint)
		if e.GateResult != nil {
			a := *e.GateResult
			a.Evidence = m.Text(a.Evidence)
			e.GateResult = &a
		}
		next.Emit(e)
	})
}

// Writer masks what is written, line by line, so that a secret that arrives in
// two pieces is found. A line longer than 64 KiB is passed on in parts that
// overlap by the longest secret.
// Close writes what has no line's end yet; it leaves w open.
func (m *Redactor) Writer(w io.Writer) io.WriteCloser {
	if len(m.values) == 0 {
		return open{w}
	}
	return &maskWriter{mask: m, next: w}
}

// open has nothing to mask, and nothing to close.
type open struct{ io.Writer }

func (open) Close() error { return nil }

type maskWriter struct {
	mask *Redactor
	next io.Writer
	mu   sync.Mutex
	rest []byte
}

const longestLine = 64 << 10

func (w *maskWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	if end == 0 && len(w.rest) > longestLine {
		// Whole secrets go first, so that the cut can't fall into one; what may
		// be the beginning of another stays.
		w.rest = []byte(w.mask.Text(string(w.rest)))
		end = max(0, len(w.rest)-len(w.mask.values[0]))
	}
	if err := w.flush(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *maskWriter) flush(end int) error {
	if end == 0 {
		return nil
	}
	text := w.mask.Text(string(w.rest[:end]))
	w.rest = append(w.rest[:0], w.rest[end:]...)
	_, err := io.WriteString(w.next, text)
	return err
}

// Close writes what has no line's end yet.
func (w *maskWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush(len(w.rest))
}
