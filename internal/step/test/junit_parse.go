package test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// parseJUnit parses one document; name is what it is called in errors. Entities
// other than XML's own five are errors, so that none can expand without limit.
// Anything but a complete report is an error.
func parseJUnit(r io.Reader, name string, at location) (tally, error) {
	text, err := decodeXML(r)
	if err != nil {
		return tally{}, err
	}
	p := junit{dec: xml.NewDecoder(text), location: at, runs: map[testKey]*testRuns{}}
	for {
		tok, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.token(tok)
		}
		if err != nil {
			line, _ := p.dec.InputPos()
			return tally{}, fault.New(fault.Unavailable, "the report is incomplete (%s:%d)", name, line).
				Hint("check that exactly one tool writes {{.Report}}, and finishes").Cause(syntaxCause(err))
		}
	}
	if !p.hasElements {
		return tally{}, fault.New(fault.Unavailable, "the report is empty").
			Hint("make the command write JUnit XML to {{.Report}}")
	}
	return p.finish(), nil
}

// syntaxCause drops what the message says already: that it is XML, and the line.
func syntaxCause(err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return errors.New(syntax.Msg)
	}
	return err
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
	listed        int      // failures that are in the report, those of flaky tests included
	counts        tally    // all but the failures
	failures      []*reportedFailure
	runs          map[testKey]*testRuns
	test          *testCase
}

// testCase is the open <testcase>.
type testCase struct {
	name, class, file, line string
	failed, skipped, rerun  bool
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
	case "flakyFailure", "flakyError": // Maven Surefire's, Gradle's and cargo-nextest's: a later attempt passed
		if p.test != nil {
			p.test.rerun = true
		}
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
		p.fail(step.TestFailure{Name: "suite", Message: kind + ": " + attr(e, "message")})
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
	p.testEnded(t)
}

func (t *testCase) fullName() string {
	if t.class != "" && !strings.HasPrefix(t.name, t.class) {
		return t.class + "." + t.name
	}
	return t.name
}

func (t *testCase) failure(at location, pytest bool) step.TestFailure {
	f := step.TestFailure{Name: t.fullName(), Message: t.message}
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
	found := p.counts
	for _, f := range p.failures {
		if !f.retracted {
			found.fail(f.TestFailure)
		}
	}
	if hidden := p.declared - p.listed; hidden > 0 {
		found.fail(step.TestFailure{
			Name:    "report",
			Message: fmt.Sprintf("the report counts %d failures, but lists %d", p.declared, p.listed),
		})
	}
	return found
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return truncate(strings.TrimSpace(a.Value), maxTextBytes)
		}
	}
	return ""
}
