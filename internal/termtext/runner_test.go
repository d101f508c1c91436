package termtext_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/termtext"
)

var runnerTexts = map[string]struct{ in, want string }{
	"plain":                {"a line\n\tand: another\n", "a line\n\tand: another\n"},
	"empty":                {"", ""},
	"GitHub":               {"::set-output name=a::b\n", ": :set-output name=a::b\n"},
	"after spaces":         {"x\n \t\u00a0::error::b", "x\n \t\u00a0: :error::b"},
	"after a mark":         {"✔ ::error::b", "✔ : :error::b"},
	"many colons":          {":::::", ": ::::"},
	"within a line":        {"tests/a.py::test_b", "tests/a.py::test_b"},
	"one colon":            {": a\n:b", ": a\n:b"},
	"old form":             {"x ##[set-output name=a;]b", "x ## [set-output name=a;]b"},
	"Azure":                {"##vso[task.setvariable variable=PATH]/tmp", "##vso [task.setvariable variable=PATH]/tmp"},
	"TeamCity":             {"x##teamcity[setParameter name='a']", "x##teamcity [setParameter name='a']"},
	"many hashes":          {"####vso[a]", "####vso [a]"},
	"heading of Markdown":  {"## Usage [a](b)\n# [a]", "## Usage [a](b)\n# [a]"},
	"hashes and a bracket": {"##\n[a] #vso[a] # #[b]", "##\n[a] #vso[a] # #[b]"},
}

var runnerCommand = regexp.MustCompile(`(?m)^\s*::|##[A-Za-z]*\[`)

// TestRunnerWriter: it makes no difference how a text is cut into writes.
func TestRunnerWriter(t *testing.T) {
	for name, c := range runnerTexts {
		t.Run(name, func(t *testing.T) {
			for cut := range len(c.in) + 1 {
				if got := writeForRunner(t, c.in[:cut], c.in[cut:]); got != c.want {
					t.Errorf("written as %q and %q: %q, want %q", c.in[:cut], c.in[cut:], got, c.want)
				}
			}
		})
	}
}

func writeForRunner(t *testing.T, parts ...string) string {
	t.Helper()
	var out strings.Builder
	w := termtext.NewRunnerWriter(&out)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("Write(%q) = %d, %v", p, n, err)
		}
	}
	return out.String()
}

// TestJSON_ForRunner: a document means the same, and a runner takes nothing from it.
func TestJSON_ForRunner(t *testing.T) {
	for name, c := range runnerTexts {
		t.Run(name, func(t *testing.T) {
			plain, err := json.Marshal([]string{c.in, "##", "x"})
			if err != nil {
				t.Fatal(err)
			}
			got := termtext.JSON(plain)
			var back []string
			if err := json.Unmarshal(got, &back); err != nil || back[0] != c.in || back[1] != "##" {
				t.Errorf("the document means %q, %v, want %q", back, err, c.in)
			}
			if found := runnerCommand.FindString(string(got)); found != "" {
				t.Errorf("a runner takes %q in %s for a command", found, got)
			}
		})
	}
}

func FuzzRunnerWriter(f *testing.F) {
	for _, c := range runnerTexts {
		f.Add(c.in, len(c.in)/2)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		got := writeForRunner(t, s)
		if found := runnerCommand.FindString(got); found != "" {
			t.Errorf("of %q: %q, with %q in it", s, got, found)
		}
		if cut >= 0 && cut <= len(s) {
			if parts := writeForRunner(t, s[:cut], s[cut:]); parts != got {
				t.Errorf("in two writes %q, in one %q", parts, got)
			}
		}
	})
}
