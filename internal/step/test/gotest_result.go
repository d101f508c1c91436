package test

import (
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// finish counts once the command has exited: the leaves of the tree of tests, and
// failures that no test stands for (builds, panics, an exit in TestMain, what did
// not finish).
func (g *goTest) finish() (tally, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.partial) > 0 {
		g.parseLine(append(g.partial, '\n'))
		g.partial = nil
	}
	if g.tooMany {
		return tally{}, fault.New(fault.Unavailable, "it printed events of more than %d tests, or names of more than %d bytes", maxTests, maxTestNames).
			Hint("test fewer packages in one step")
	}
	if g.events == 0 {
		return tally{}, fault.New(fault.Unavailable, "it printed no test events").
			Hint("run `go test -json ./...` without redirecting its standard output")
	}
	var t tally
	var open []testID // reported last: mostly they only waited for the one that failed
	for _, id := range g.testOrder {
		if g.tests[id].result == "" {
			open = append(open, id)
			continue
		}
		g.countTest(&t, id, g.tests[id])
	}
	for _, id := range open {
		g.countTest(&t, id, g.tests[id])
	}
	for _, name := range g.packageOrder {
		g.countPackage(&t, name, g.packages[name])
	}
	for _, path := range g.buildOrder {
		if b := g.builds[path]; b.failed && !b.reported {
			t.fail(g.failure(path, &b.output, ""))
		}
	}
	return t, nil
}

func (g *goTest) countTest(t *tally, id testID, c *goCase) {
	switch {
	case c.hasChildren && (c.result != "fail" || c.childFailed):
		// Its subtests count.
	case c.result == "pass":
		t.passed++
	case c.result == "skip":
		t.skipped++
	default:
		g.packages[id.pkg].failing = true
		if t.full() {
			t.failed++
			return
		}
		f := g.failure(g.shortName(id.pkg)+"."+id.test, &c.output, g.location.packageDir(id.pkg))
		if c.result == "" {
			g.print(c.output.String())
			f.Message = strings.TrimSpace("the test did not finish\n" + f.Message)
		}
		t.fail(f)
	}
}

func (g *goTest) countPackage(t *tally, name string, p *goPackage) {
	b := g.builds[p.failedBuild]
	switch {
	case p.result == "fail" && b != nil:
		if !b.reported {
			b.reported = true
			t.fail(g.failure(g.shortName(name), &b.output, ""))
		}
	case p.result == "fail" && !p.failing:
		t.fail(g.failure(g.shortName(name), &p.output, g.location.packageDir(name)))
	case p.result == "" && !p.failing:
		f := g.failure(g.shortName(name), &p.output, g.location.packageDir(name))
		f.Message = strings.TrimSpace("the package did not finish\n" + f.Message)
		t.fail(f)
	}
}

// shortName returns a package's path within its module.
func (g *goTest) shortName(pkg string) string {
	if rel, ok := strings.CutPrefix(pkg, g.location.module+"/"); ok && g.location.module != "" {
		return rel
	}
	return pkg
}

var (
	goTestNoise  = regexp.MustCompile(`(?m)^\s*(=== (RUN|PAUSE|CONT|NAME)|--- (FAIL|PASS|SKIP):|FAIL\s*$|FAIL\t|exit status |# ).*\n?`)
	goFilePrefix = regexp.MustCompile(`^[A-Za-z0-9_@+./-]+\.go:[0-9]+(:[0-9]+)?: `)
)

// failure extracts location and message from the output.
func (g *goTest) failure(name string, o *output, dir string) step.TestFailure {
	text := goTestNoise.ReplaceAllString(o.String(), "")
	var dirs []string
	if dir != "" {
		dirs = append(dirs, dir)
	}
	f := step.TestFailure{Name: name, Location: g.location.find(text, dirs...)}
	f.Message = strings.TrimSpace(text)
	if f.Location != "" {
		f.Message = goFilePrefix.ReplaceAllString(f.Message, "")
	}
	return f
}
