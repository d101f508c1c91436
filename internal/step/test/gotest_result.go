package teststep

import (
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// finish counts, once the command has ended: leaves of the tree of tests, and
// failures that no test stands for (builds, panics, an exit in TestMain, what
// never came to its end).
func (g *goTest) finish() (tally, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.rest) > 0 {
		g.line(append(g.rest, '\n'))
		g.rest = nil
	}
	if g.events == 0 {
		return tally{}, fault.New(fault.Unavailable, "it printed no test events").
			Hint("run `go test -json ./...`, and leave its standard output alone")
	}
	var t tally
	var open []testID // told last: mostly they only wait for the one that broke
	for _, id := range g.order {
		if g.tests[id].result == "" {
			open = append(open, id)
			continue
		}
		g.countTest(&t, id, g.tests[id])
	}
	for _, id := range open {
		g.countTest(&t, id, g.tests[id])
	}
	for _, name := range g.named {
		g.countPackage(&t, name, g.packages[name])
	}
	for _, path := range g.built {
		if b := g.builds[path]; b.failed && !b.told {
			t.fail(g.failure(path, &b.output, ""))
		}
	}
	return t, nil
}

func (g *goTest) countTest(t *tally, id testID, c *goCase) {
	switch {
	case c.parent && (c.result != "fail" || c.deeper):
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
		f := g.failure(g.short(id.pkg)+"."+id.test, &c.output, g.at.packageDir(id.pkg))
		if c.result == "" {
			g.print(c.output.String())
			f.Message = strings.TrimSpace("it did not come to its end\n" + f.Message)
		}
		t.fail(f)
	}
}

func (g *goTest) countPackage(t *tally, name string, p *goPackage) {
	b := g.builds[p.failedBuild]
	switch {
	case p.result == "fail" && b != nil:
		if !b.told {
			b.told = true
			t.fail(g.failure(g.short(name), &b.output, ""))
		}
	case p.result == "fail" && !p.failing:
		t.fail(g.failure(g.short(name), &p.output, g.at.packageDir(name)))
	case p.result == "" && !p.failing:
		f := g.failure(g.short(name), &p.output, g.at.packageDir(name))
		f.Message = strings.TrimSpace("the package did not come to its end\n" + f.Message)
		t.fail(f)
	}
}

// short is a package's path within its module.
func (g *goTest) short(pkg string) string {
	if rel, ok := strings.CutPrefix(pkg, g.at.module+"/"); ok && g.at.module != "" {
		return rel
	}
	return pkg
}

var (
	noise     = regexp.MustCompile(`(?m)^\s*(=== (RUN|PAUSE|CONT|NAME)|--- (FAIL|PASS|SKIP):|FAIL\s*$|FAIL\t|exit status |# ).*\n?`)
	goPointer = regexp.MustCompile(`^[A-Za-z0-9_@+./-]+\.go:[0-9]+(:[0-9]+)?: `)
)

// failure reads place and message from what was printed.
func (g *goTest) failure(name string, o *output, dir string) step.TestFailure {
	text := noise.ReplaceAllString(o.String(), "")
	var dirs []string
	if dir != "" {
		dirs = append(dirs, dir)
	}
	f := step.TestFailure{Name: name, Location: g.at.find(text, dirs...)}
	f.Message = strings.TrimSpace(text)
	if f.Location != "" {
		f.Message = goPointer.ReplaceAllString(f.Message, "")
	}
	return f
}
