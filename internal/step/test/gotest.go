package test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"sync"
)

// Limits of what is kept of the events, which any program may print.
const (
	maxLineBytes   = 4 << 20   // of a line without an end
	maxTests       = 1_000_000 // tests, packages and builds
	maxTestNames   = 32 << 20  // bytes of their names
	maxOutputBytes = 64 << 10  // of one test's output: its end
	maxKeptOutput  = 32 << 20  // of the output of all tests that have not passed
)

// goEvent is one line of `go test -json`; see `go doc test2json` and `go help
// buildjson`.
type goEvent struct {
	Action      string
	Package     string
	Test        string
	Output      string
	ImportPath  string // of build-output and build-fail
	FailedBuild string // of a package's fail: whose build it was
}

// goTest is a writer for a command's output with `go test -json` in it. What is
// readable goes to log: the output of failed tests and of packages, and every
// line that is not an event. Safe for concurrent use.
type goTest struct {
	mu       sync.Mutex
	log      io.Writer
	location location
	progress func(format string, args ...any)
	partial  []byte
	events   int
	finished int // tests
	known    int // tests, packages and builds
	names    int // bytes of their names
	kept     int // bytes of output
	tooMany  bool

	tests        map[testID]*goCase
	testOrder    []testID
	packages     map[string]*goPackage
	packageOrder []string // packages in order
	builds       map[string]*build
	buildOrder   []string // in order
}

type testID struct{ pkg, test string }

// goCase is one test or subtest.
type goCase struct {
	result      string // pass | fail | skip, empty while it runs
	hasChildren bool   // it has subtests
	childFailed bool   // one of them failed
	output      output
}

// goPackage is one package.
type goPackage struct {
	result      string
	failedBuild string
	failing     bool // one of its tests failed
	output      output
}

// build is one package's compilation.
type build struct {
	failed, reported bool
	output           output
}

func newGoTest(log io.Writer, at location, say func(string, ...any)) *goTest {
	return &goTest{
		log: log, location: at, progress: say,
		tests: map[testID]*goCase{}, packages: map[string]*goPackage{}, builds: map[string]*build{},
	}
}

// Write accepts output in chunks of any size.
func (g *goTest) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	done, seen := 0, len(g.partial)
	g.partial = append(g.partial, p...)
	for {
		end := bytes.IndexByte(g.partial[seen:], '\n') + seen + 1
		if end == seen && len(g.partial)-done > maxLineBytes {
			end = len(g.partial)
		}
		if end == seen {
			if done > 0 {
				g.partial = append(g.partial[:0], g.partial[done:]...)
			}
			return len(p), nil
		}
		g.parseLine(g.partial[done:end])
		done, seen = end, end
	}
}

// parseLine handles one line. Another process may have written the beginning of
// it.
func (g *goTest) parseLine(line []byte) {
	for _, start := range []string{"{", `{"Time":`, `{"ImportPath":`} {
		i := bytes.Index(line, []byte(start))
		if i < 0 || start == "{" && i > 0 {
			continue
		}
		var e goEvent
		if json.Unmarshal(line[i:], &e) != nil || e.Action == "" || e.Package == "" && e.ImportPath == "" {
			continue
		}
		if i > 0 {
			g.print(string(line[:i]) + "\n")
		}
		g.event(e)
		return
	}
	g.print(string(line))
}

func (g *goTest) print(text string) {
	if text != "" && g.log != nil {
		_, _ = io.WriteString(g.log, text)
	}
}

func (g *goTest) event(e goEvent) {
	g.events++
	switch {
	case e.Action == "build-output" || e.Action == "build-fail":
		g.buildEvent(e)
	case e.Test != "":
		g.testEvent(e)
	default:
		g.packageEvent(e)
	}
}

func (g *goTest) buildEvent(e goEvent) {
	b := g.builds[e.ImportPath]
	if b == nil {
		if !g.admit(e.ImportPath) {
			return
		}
		b = &build{}
		g.builds[e.ImportPath] = b
		g.buildOrder = append(g.buildOrder, e.ImportPath)
	}
	b.failed = b.failed || e.Action == "build-fail"
	g.keep(&b.output, e.Output)
	g.print(e.Output)
}

func (g *goTest) testEvent(e goEvent) {
	id := testID{e.Package, e.Test}
	c := g.tests[id]
	if c == nil {
		if !g.admit(e.Package + e.Test) {
			return
		}
		c = &goCase{}
		g.tests[id] = c
		g.testOrder = append(g.testOrder, id)
		g.pkg(e.Package)
		g.parents(id, func(p *goCase) { p.hasChildren = true })
	}
	switch e.Action {
	case "output":
		g.keep(&c.output, e.Output)
	case "pass", "skip", "fail":
		c.result = e.Action
		g.testFinished(id, c)
	}
}

func (g *goTest) testFinished(id testID, c *goCase) {
	g.finished++
	if c.result != "fail" {
		g.kept -= len(c.output.text)
		c.output = output{}
	}
	if c.result == "fail" {
		g.parents(id, func(p *goCase) { p.childFailed = true })
		g.print(c.output.String())
	}
	if c.result == "fail" || g.finished%50 == 0 {
		g.progress("%d tests finished, last %s", g.finished, id.test)
	}
}

// parents visits the known tests that id is a subtest of.
func (g *goTest) parents(id testID, visit func(*goCase)) {
	for i, char := range id.test {
		if char != '/' {
			continue
		}
		if p := g.tests[testID{id.pkg, id.test[:i]}]; p != nil {
			visit(p)
		}
	}
}

func (g *goTest) pkg(name string) *goPackage {
	p := g.packages[name]
	if p == nil {
		p = &goPackage{}
		if !g.admit(name) {
			return p
		}
		g.packages[name] = p
		g.packageOrder = append(g.packageOrder, name)
	}
	return p
}

func (g *goTest) packageEvent(e goEvent) {
	p := g.pkg(e.Package)
	switch e.Action {
	case "output":
		g.keep(&p.output, e.Output)
		if e.Output != "PASS\n" {
			g.print(e.Output)
		}
	case "pass", "fail", "skip":
		p.result, p.failedBuild = e.Action, e.FailedBuild
		g.progress("%d tests finished, last package %s", g.finished, e.Package)
	}
}

// admit counts a test, package or build that is new, and reports whether there may be
// one more.
func (g *goTest) admit(name string) bool {
	g.known++
	g.names += len(name)
	g.tooMany = g.tooMany || g.known > maxTests || g.names > maxTestNames
	return !g.tooMany
}

// keep adds to an output, unless all of them together are too long.
func (g *goTest) keep(o *output, text string) {
	if g.kept+len(text) > maxKeptOutput {
		o.cut = true
		return
	}
	before := len(o.text)
	o.add(text)
	g.kept += len(o.text) - before
}

// output keeps the end of what a test printed.
type output struct {
	text []byte
	cut  bool
}

func (o *output) add(s string) {
	o.text = append(o.text, s...)
	if len(o.text) > 2*maxOutputBytes {
		o.text = append([]byte(nil), o.text[len(o.text)-maxOutputBytes:]...)
		o.cut = true
	}
}

func (o *output) String() string {
	text := strings.ToValidUTF8(string(o.text), "")
	if o.cut {
		return "...\n" + text
	}
	return text
}
