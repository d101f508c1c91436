package buildkit

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/slipway-cd/slipway/internal/redact"
)

const (
	maxKeptLines    = 8       // of a command that fails, kept for its error
	maxLineBytes    = 2000    // bytes of a command's output that are kept as one line
	maxStatusBytes  = 90      // bytes of a progress line
	maxPartialBytes = 1 << 16 // bytes of a line without an end
)

// progress turns BuildKit's updates into lines as `docker buildx` has them, "#4
// [runtime 3/7] RUN pip install", and one short line that replaces the last.
type progress struct {
	onProgress func(string)
	redactor   *redact.Redactor

	mu         sync.Mutex
	log        io.Writer // nil once the listener is gone
	vertices   map[digest.Digest]*vertex
	numbered   int
	lastStatus string // that was said
	pins       map[string]bool
}

// vertex is one vertex of the build.
type vertex struct {
	number      int
	name        string
	started     *time.Time
	ended       bool
	failed      bool
	partial     map[int][]byte // of a line that is not complete, by stream
	lines       []string       // the last that it printed
	transferred map[string]bool
}

func newProgress(log io.Writer, r *redact.Redactor, say func(string)) *progress {
	return &progress{onProgress: say, redactor: r, log: log, vertices: map[digest.Digest]*vertex{}, pins: map[string]bool{}}
}

// consume reports until the status channel is closed.
func (s *progress) consume(updates <-chan *client.SolveStatus) {
	for u := range updates {
		s.update(u)
	}
}

// stop ends the telling; the library may not have noticed yet that it is over.
func (s *progress) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

func (s *progress) update(u *client.SolveStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return
	}
	for _, v := range u.Vertexes {
		s.beginVertex(v)
	}
	for _, f := range u.Statuses {
		s.reportTransfer(f)
	}
	for _, l := range u.Logs {
		s.addOutput(l)
	}
	for _, w := range u.Warnings {
		s.writeLine(s.vertex(w.Vertex), "WARN: "+string(w.Short))
	}
	for _, v := range u.Vertexes {
		s.finishVertex(v)
	}
}

func (s *progress) vertex(d digest.Digest) *vertex {
	p := s.vertices[d]
	if p == nil {
		p = &vertex{partial: map[int][]byte{}, transferred: map[string]bool{}}
		s.vertices[d] = p
	}
	return p
}

func (s *progress) beginVertex(v *client.Vertex) {
	p := s.vertex(v.Digest)
	if v.Started == nil || p.started != nil {
		return
	}
	p.started, p.name = v.Started, s.redactor.Text(oneLine(v.Name))
	for _, pin := range pinned.FindAllStringSubmatch(v.Name, -1) {
		s.pins[pin[1]] = true
	}
	s.writeLine(p, p.name)
	if !strings.HasPrefix(p.name, "[internal]") && !v.Cached {
		s.showStatus(p.name)
	}
}

// pinned finds the image that a stage begins with, as BuildKit resolved it.
var pinned = regexp.MustCompile(`\] FROM (\S+@sha256:[0-9a-f]{64})(?:\s|$)`)

func (s *progress) finishVertex(v *client.Vertex) {
	p := s.vertex(v.Digest)
	if v.Completed == nil || p.ended || p.started == nil {
		return
	}
	p.ended = true
	for stream := range p.partial {
		s.flush(p, stream, v.Completed)
	}
	switch {
	case strings.HasSuffix(v.Error, "context canceled"):
		s.writeLine(p, "CANCELED")
	case v.Error != "":
		p.failed = true
		s.writeLine(p, "ERROR: "+oneLine(v.Error))
	case v.Cached:
		s.writeLine(p, "CACHED")
	default:
		s.writeLine(p, fmt.Sprintf("DONE %.1fs", v.Completed.Sub(*v.Started).Seconds()))
	}
}

// reportTransfer reports a download or another part of a vertex.
func (s *progress) reportTransfer(f *client.VertexStatus) {
	p := s.vertex(f.Vertex)
	size := ""
	if f.Total > 0 {
		size = fmt.Sprintf(" %s / %s", megabytes(f.Current), megabytes(f.Total))
	}
	if f.Completed == nil {
		if size != "" && f.Current > 0 {
			s.showStatus(p.name + size)
		}
		return
	}
	if p.transferred[f.ID] {
		return
	}
	p.transferred[f.ID] = true
	s.writeLine(p, oneLine(f.ID)+size+" done")
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// addOutput reports whole lines, so that a secret which comes in two pieces is found.
func (s *progress) addOutput(l *client.VertexLog) {
	p := s.vertex(l.Vertex)
	p.partial[l.Stream] = append(p.partial[l.Stream], l.Data...)
	for {
		before, after, whole := strings.Cut(string(p.partial[l.Stream]), "\n")
		if !whole {
			break
		}
		p.partial[l.Stream] = []byte(after)
		s.writeOutput(p, before, l.Timestamp)
	}
	if len(p.partial[l.Stream]) > maxPartialBytes {
		s.flush(p, l.Stream, &l.Timestamp)
	}
}

func (s *progress) flush(p *vertex, stream int, at *time.Time) {
	if rest := p.partial[stream]; len(rest) > 0 {
		s.writeOutput(p, string(rest), *at)
	}
	delete(p.partial, stream)
}

func (s *progress) writeOutput(p *vertex, text string, at time.Time) {
	text = strings.TrimRight(text, "\r")
	text = s.redactor.Text(text[strings.LastIndexByte(text, '\r')+1:]) // a bar that was drawn again and again
	if len(text) > maxLineBytes {
		text = text[:maxLineBytes] + "..."
	}
	if strings.TrimSpace(text) != "" {
		p.lines = append(p.lines, text)
		p.lines = p.lines[max(0, len(p.lines)-maxKeptLines):]
	}
	since := 0.0
	if p.started != nil {
		since = max(0, at.Sub(*p.started).Seconds())
	}
	s.writeLine(p, fmt.Sprintf("%.3f %s", since, text))
}

func (s *progress) writeLine(p *vertex, text string) {
	if p.number == 0 {
		s.numbered++
		p.number = s.numbered
	}
	fmt.Fprintf(s.log, "#%d %s\n", p.number, s.redactor.Text(text))
}

func (s *progress) showStatus(text string) {
	if len(text) > maxStatusBytes {
		text = strings.ToValidUTF8(text[:maxStatusBytes], "") + "..."
	}
	if text != s.lastStatus {
		s.lastStatus = text
		s.onProgress(text)
	}
}

// bases are the images that the stages began with, pinned.
func (s *progress) bases() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pins) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(s.pins))
}

// failedOutput is the last that the part which failed printed.
func (s *progress) failedOutput() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.vertices {
		if p.failed && len(p.lines) > 0 {
			return p.lines
		}
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
