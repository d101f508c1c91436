package test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// Limits for a report, which is untrusted until it is parsed.
const (
	maxReportBytes = 64 << 20 // bytes of one file
	maxDepth       = 64       // elements within elements
	maxReportFiles = 1000     // when the report is a folder
	maxTextBytes   = 16 << 10 // bytes of the beginning, and of the end, of one test's output that are read
)

// readJUnit reads the report at path: a file, or a folder with *.xml files.
func readJUnit(path string, at location) (tally, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tally{}, fault.New(fault.Unavailable, "it wrote no report").
			Hint("make the command write JUnit XML to {{.Report}}, or remove `report`")
	case err != nil:
		return tally{}, fmt.Errorf("read the report: %w", err)
	case info.IsDir():
		return readFolder(path, at)
	}
	return readFile(path, at)
}

func readFolder(dir string, at location) (tally, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) == 0 {
		return tally{}, fault.New(fault.Unavailable, "the report folder contains no *.xml file")
	}
	if len(files) > maxReportFiles {
		return tally{}, fault.New(fault.Unavailable, "the report has %d files, more than %d", len(files), maxReportFiles)
	}
	sort.Strings(files)
	var sum tally
	for _, f := range files {
		one, err := readFile(f, at)
		if err != nil {
			return sum, err
		}
		sum.add(one)
	}
	return sum, nil
}

func readFile(path string, at location) (tally, error) {
	info, err := os.Stat(path)
	if err != nil {
		return tally{}, fmt.Errorf("read the report: %w", err)
	}
	if !info.Mode().IsRegular() {
		return tally{}, fault.New(fault.Unavailable, "the report is not a regular file")
	}
	if info.Size() > maxReportBytes {
		return tally{}, fault.New(fault.Unavailable, "the report has %d bytes, more than %d", info.Size(), maxReportBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return tally{}, fmt.Errorf("read the report: %w", err)
	}
	defer f.Close()
	return parseJUnit(io.LimitReader(f, maxReportBytes), at)
}

// parseJUnit parses one document. Entities other than XML's own five are errors,
// so that none can expand without limit. Anything but a complete report is an
// error.
func parseJUnit(r io.Reader, at location) (tally, error) {
	p := junit{dec: xml.NewDecoder(r), location: at}
	for {
		tok, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.token(tok)
		}
		if err != nil {
			return tally{}, fault.New(fault.Unavailable, "the report is incomplete").
				Hint("check that exactly one tool writes {{.Report}}, and finishes").Cause(err)
		}
	}
	if !p.hasElements {
		return tally{}, fault.New(fault.Unavailable, "the report is empty").
			Hint("make the command write JUnit XML to {{.Report}}")
	}
	return p.finish(), nil
}

// junit is the state of the parser.
type junit struct {
	dec           *xml.Decoder
	location      location
	hasElements   bool
	pytest        bool     // its suite is called so
	path          []string // names of the open elements
	declared      int      // failures that the outermost counters speak of
	countersDepth int      // depth of the element that declared them; 0: none yet
	found         tally
	test          *testCase
}

// testCase is the open <testcase>.
type testCase struct {
	name, class, file, line string
	failed, skipped         bool
	message                 string
	text                    excerpt
}

// excerpt keeps the beginning and the end of a text.
type excerpt struct{ head, tail string }

func (e *excerpt) add(s string) {
	if room := maxTextBytes - len(e.head); room > 0 && e.tail == "" {
		n := min(room, len(s))
		e.head, s = e.head+s[:n], s[n:]
	}
	e.tail += s
	if extra := len(e.tail) - maxTextBytes; extra > 0 {
		e.tail = e.tail[extra:]
	}
}

func (e *excerpt) String() string { return strings.ToValidUTF8(e.head+e.tail, "") }

func (p *junit) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return p.open(t)
	case xml.EndElement:
		p.close(t.Name.Local)
	case xml.CharData:
		if p.test != nil && p.inside("failure", "error") {
			p.test.text.add(string(t))
		}
	}
	return nil
}

func (p *junit) inside(names ...string) bool {
	for _, n := range names {
		if len(p.path) > 0 && p.path[len(p.path)-1] == n {
			return true
		}
	}
	return false
}

func (p *junit) open(e xml.StartElement) error {
	name := e.Name.Local
	if len(p.path) == 0 && name != "testsuites" && name != "testsuite" {
		return fmt.Errorf("<%s> is not a JUnit report", truncate(name, 40))
	}
	if len(p.path) >= maxDepth {
		return fmt.Errorf("elements are nested more than %d levels deep", maxDepth)
	}
	p.hasElements = true
	p.path = append(p.path, name)
	switch name {
	case "testsuites", "testsuite":
		p.pytest = p.pytest || attr(e, "name") == "pytest"
		return p.suite(e)
	case "testcase":
		if p.test != nil {
			return errors.New("a <testcase> is inside another")
		}
		p.test = &testCase{name: attr(e, "name"), class: attr(e, "classname"), file: attr(e, "file"), line: attr(e, "line")}
	case "failure", "error":
		p.failure(e, name)
	case "skipped":
		if p.test != nil {
			p.test.skipped = true
		}
	}
	return nil
}

// suite records how many failures the outermost element with counters declares:
// those of inner ones are included in its sum.
func (p *junit) suite(e xml.StartElement) error {
	if attr(e, "failures") == "" && attr(e, "errors") == "" || p.countersDepth > 0 && len(p.path) > p.countersDepth {
		return nil
	}
	for _, name := range []string{"failures", "errors"} {
		text := attr(e, name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("invalid %s=%q (want a count)", name, truncate(text, 40))
		}
		p.declared += n
	}
	p.countersDepth = len(p.path)
	return nil
}

// failure handles <failure> and <error>: of a test, or of a suite whose set-up
// failed.
func (p *junit) failure(e xml.StartElement, kind string) {
	if p.test == nil {
		p.found.fail(step.TestFailure{Name: "suite", Message: kind + ": " + attr(e, "message")})
		return
	}
	p.test.failed = true
	if p.test.message == "" {
		p.test.message = attr(e, "message")
	}
}

func (p *junit) close(name string) {
	p.path = p.path[:len(p.path)-1]
	if name != "testcase" || p.test == nil {
		return
	}
	t := p.test
	p.test = nil
	switch {
	case t.failed && p.found.full():
		p.found.fail(step.TestFailure{Name: t.name})
	case t.failed:
		p.found.fail(t.failure(p.location, p.pytest))
	case t.skipped:
		p.found.skipped++
	default:
		p.found.passed++
	}
}

func (t *testCase) failure(at location, pytest bool) step.TestFailure {
	f := step.TestFailure{Name: t.name, Message: t.message}
	if t.class != "" && !strings.HasPrefix(t.name, t.class) {
		f.Name = t.class + "." + t.name
	}
	text := t.text.String()
	if strings.TrimSpace(f.Message) == "" {
		f.Message = text
	}
	if pytest || isPytest(text) {
		t.pytest(at, text, &f)
	}
	if f.Location == "" && strings.Contains(text, "Traceback (most recent call last)") {
		f.Location = at.lastMatch(tracebackLine, text)
	}
	if f.Location == "" {
		f.Location = at.find(text)
	}
	if f.Location == "" && t.file != "" {
		f.Location = at.find(t.file + ":" + t.line)
	}
	return f
}

// finish adds failures that were counted by the report but not listed in it.
func (p *junit) finish() tally {
	if hidden := p.declared - p.found.failed; hidden > 0 {
		p.found.fail(step.TestFailure{
			Name:    "report",
			Message: fmt.Sprintf("the report counts %d failures, but lists %d", p.declared, p.found.failed),
		})
	}
	return p.found
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return truncate(strings.TrimSpace(a.Value), maxTextBytes)
		}
	}
	return ""
}
