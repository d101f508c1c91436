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
)

const (
	lastLines   = 8       // of a command that fails, kept for its error
	longestLine = 2000    // bytes of a command's output that are kept as one line
	longestSay  = 90      // bytes of a progress line
	mostRest    = 1 << 16 // bytes of a line without an end
)

// story turns BuildKit's updates into lines as `docker buildx` has them, "#4
// [runtime 3/7] RUN pip install", and one short line that replaces the last.
type story struct {
	say  func(string)
	hush hush

	mu    sync.Mutex
	log   io.Writer // nil once nobody listens any more
	parts map[digest.Digest]*part
	count int
	last  string // that was said
	pins  map[string]bool
}

// part is one vertex of the build.
type part struct {
	number  int
	name    string
	started *time.Time
	ended   bool
	failed  bool
	rest    map[int][]byte // of a line that is not complete, by stream
	lines   []string       // the last that it printed
	fetched map[string]bool
}

func newStory(log io.Writer, h hush, say func(string)) *story {
	return &story{say: say, hush: h, log: log, parts: map[digest.Digest]*part{}, pins: map[string]bool{}}
}

// listen tells until there is nothing more to tell.
func (s *story) listen(updates <-chan *client.SolveStatus) {
	for u := range updates {
		s.update(u)
	}
}

// mute ends the telling; the library may not have noticed yet that it is over.
func (s *story) mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

func (s *story) update(u *client.SolveStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log == nil {
		return
	}
	for _, v := range u.Vertexes {
		s.begin(v)
	}
	for _, f := range u.Statuses {
		s.fetch(f)
	}
	for _, l := range u.Logs {
		s.output(l)
	}
	for _, w := range u.Warnings {
		s.line(s.part(w.Vertex), "WARN: "+string(w.Short))
	}
	for _, v := range u.Vertexes {
		s.finish(v)
	}
}

func (s *story) part(d digest.Digest) *part {
	p := s.parts[d]
	if p == nil {
		p = &part{rest: map[int][]byte{}, fetched: map[string]bool{}}
		s.parts[d] = p
	}
	return p
}

func (s *story) begin(v *client.Vertex) {
	p := s.part(v.Digest)
	if v.Started == nil || p.started != nil {
		return
	}
	p.started, p.name = v.Started, s.hush.text(oneLine(v.Name))
	for _, pin := range pinned.FindAllStringSubmatch(v.Name, -1) {
		s.pins[pin[1]] = true
	}
	s.line(p, p.name)
	if !strings.HasPrefix(p.name, "[internal]") && !v.Cached {
		s.now(p.name)
	}
}

// pinned finds the image that a stage begins with, as BuildKit resolved it.
var pinned = regexp.MustCompile(`\] FROM (\S+@sha256:[0-9a-f]{64})(?:\s|$)`)

func (s *story) finish(v *client.Vertex) {
	p := s.part(v.Digest)
	if v.Completed == nil || p.ended || p.started == nil {
		return
	}
	p.ended = true
	for stream := range p.rest {
		s.flush(p, stream, v.Completed)
	}
	switch {
	case strings.HasSuffix(v.Error, "context canceled"):
		s.line(p, "CANCELED")
	case v.Error != "":
		p.failed = true
		s.line(p, "ERROR: "+oneLine(v.Error))
	case v.Cached:
		s.line(p, "CACHED")
	default:
		s.line(p, fmt.Sprintf("DONE %.1fs", v.Completed.Sub(*v.Started).Seconds()))
	}
}

// fetch tells of a download or another part of a vertex.
func (s *story) fetch(f *client.VertexStatus) {
	p := s.part(f.Vertex)
	size := ""
	if f.Total > 0 {
		size = fmt.Sprintf(" %s / %s", megabytes(f.Current), megabytes(f.Total))
	}
	if f.Completed == nil {
		if size != "" && f.Current > 0 {
			s.now(p.name + size)
		}
		return
	}
	if p.fetched[f.ID] {
		return
	}
	p.fetched[f.ID] = true
	s.line(p, oneLine(f.ID)+size+" done")
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// output tells whole lines, so that a secret which comes in two pieces is found.
func (s *story) output(l *client.VertexLog) {
	p := s.part(l.Vertex)
	p.rest[l.Stream] = append(p.rest[l.Stream], l.Data...)
	for {
		before, after, whole := strings.Cut(string(p.rest[l.Stream]), "\n")
		if !whole {
			break
		}
		p.rest[l.Stream] = []byte(after)
		s.printed(p, before, l.Timestamp)
	}
	if len(p.rest[l.Stream]) > mostRest {
		s.flush(p, l.Stream, &l.Timestamp)
	}
}

func (s *story) flush(p *part, stream int, at *time.Time) {
	if rest := p.rest[stream]; len(rest) > 0 {
		s.printed(p, string(rest), *at)
	}
	delete(p.rest, stream)
}

func (s *story) printed(p *part, text string, at time.Time) {
	text = strings.TrimRight(text, "\r")
	text = s.hush.text(text[strings.LastIndexByte(text, '\r')+1:]) // a bar that was drawn again and again
	if len(text) > longestLine {
		text = text[:longestLine] + "..."
	}
	if strings.TrimSpace(text) != "" {
		p.lines = append(p.lines, text)
		p.lines = p.lines[max(0, len(p.lines)-lastLines):]
	}
	since := 0.0
	if p.started != nil {
		since = max(0, at.Sub(*p.started).Seconds())
	}
	s.line(p, fmt.Sprintf("%.3f %s", since, text))
}

func (s *story) line(p *part, text string) {
	if p.number == 0 {
		s.count++
		p.number = s.count
	}
	fmt.Fprintf(s.log, "#%d %s\n", p.number, s.hush.text(text))
}

func (s *story) now(text string) {
	if len(text) > longestSay {
		text = strings.ToValidUTF8(text[:longestSay], "") + "..."
	}
	if text != s.last {
		s.last = text
		s.say(text)
	}
}

// bases are the images that the stages began with, pinned.
func (s *story) bases() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pins) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(s.pins))
}

// failure is the last that the part which failed printed.
func (s *story) failure() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if p.failed && len(p.lines) > 0 {
			return p.lines
		}
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
