package test

import (
	"path"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/step"
)

// pytest's own forms of a failure. Each entry of its traceback ends (or, with
// --tb=short, begins) with a location, the outermost call first; lines that start
// with E contain what was raised.
var (
	pytestRaised      = regexp.MustCompile(`(?m)^E(?:\s+(.*))?$`)
	pytestEntry       = regexp.MustCompile(`(?m)^((?:[A-Za-z]:)?[^\s:"'][^:"'\n]*):([0-9]{1,7})(?:: |:?\s*$)`)
	pytestSyntaxFile  = regexp.MustCompile(`(?m)^E\s+File "([^"\n]+)", line ([0-9]{1,7})`)
	pytestSyntaxError = regexp.MustCompile(`(?m)^E\s+(?:SyntaxError|IndentationError|TabError)\b`)
)

// isPytest reports whether a failure's text is pytest's.
func isPytest(text string) bool { return pytestRaised.MatchString(text) }

// findRaised returns "file:line" of the innermost location in the checkout: where
// the assertion failed, not where the test called it.
func (p location) findRaised(text string) string {
	if pytestSyntaxError.MatchString(text) {
		if where := p.lastMatch(pytestSyntaxFile, text); where != "" {
			return where
		}
	}
	return p.lastMatch(pytestEntry, text)
}

// lastMatch returns the last location of that form in the checkout.
func (p location) lastMatch(form *regexp.Regexp, text string) string {
	if len(text) > maxSearchedBytes {
		text = text[len(text)-maxSearchedBytes:]
	}
	all := form.FindAllStringSubmatch(text, -1)
	for i := len(all) - 1; i >= max(0, len(all)-200); i-- {
		if rel := p.relative(all[i][1], []string{p.dir, p.root}); rel != "" {
			return rel + ":" + all[i][2]
		}
	}
	return ""
}

// firstRaised returns the first exception, such as "ModuleNotFoundError: No
// module named 'x'"; quoted source lines before it are skipped.
func firstRaised(text string) string {
	exception := regexp.MustCompile(`^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt)\b`)
	var first string
	for _, m := range pytestRaised.FindAllStringSubmatch(text, 100) {
		line := strings.TrimSpace(m[1])
		if exception.MatchString(line) {
			return line
		}
		if first == "" {
			first = line
		}
	}
	return first
}

// nodeID returns pytest's own name of a test:
// "tests/test_api.py::TestX::test_y[1]". It is empty if no file of the checkout
// matches the class's name.
func (p location) nodeID(class, name string) string {
	parts := strings.Split(class, ".")
	if class == "" { // what can't be collected is called by its module
		parts, name = strings.Split(name, "."), ""
	}
	if len(parts) > 30 {
		return ""
	}
	for n := len(parts); n > 0; n-- {
		rel := p.relative(path.Join(parts[:n]...)+".py", []string{p.dir, p.root})
		if rel == "" {
			continue
		}
		id := append([]string{rel}, parts[n:]...)
		if name != "" {
			id = append(id, name)
		}
		return strings.Join(id, "::")
	}
	return ""
}

// pytest extracts what only pytest writes.
func (t *testCase) pytest(at location, text string, f *step.TestFailure) {
	f.Location = at.findRaised(text)
	if id := at.nodeID(t.class, t.name); id != "" {
		f.Name = id
	}
	poor := t.message == "collection failure" || strings.HasPrefix(t.message, `failed on setup with "file `) || strings.TrimSpace(t.message) == ""
	if why := firstRaised(text); why != "" && poor {
		f.Message = why
	}
}
