package scaffold

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// testCommand is an entry of test.
type testCommand struct {
	Name, Run, Report, Dir string
	Python                 string // of its environment, as YAML
	Source                 string
	Problem                string // why it stands in a comment; "" if it does not
}

// readPipelines reads what the repository's own CI runs.
func (s *repoInfo) readPipelines() {
	var files []string
	for _, pattern := range []string{".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml"} {
		found, _ := fs.Glob(s.repo.FS, pattern)
		files = append(files, found...)
	}
	for _, file := range files {
		if p, err := pipeline.Read(file, []byte(s.repo.text(file))); err == nil {
			s.pipelines = append(s.pipelines, p)
		}
	}
}

// findTests collects the test commands: those of the CI, or else those that the
// repository's files suggest.
func (s *repoInfo) findTests() {
	if s.GoModule != "" {
		s.addTest(testCommand{Name: "vet", Run: "go vet ./..."})
		if s.GoTests {
			s.addTest(testCommand{Name: "unit", Run: "go test -json ./...", Report: "go"})
		}
	}
	for _, c := range s.ciCommands() {
		s.addCommand(c)
	}
	tested := slices.ContainsFunc(s.Tests, func(t testCommand) bool { return t.Report == "junit" || strings.Contains(t.Run, "unittest") })
	if !s.PythonTests || tested {
		return
	}
	if s.usesUnittest() {
		s.addTest(testCommand{Name: "python", Run: "python3 -m unittest discover -s " + s.testsDir})
		return
	}
	s.addTest(testCommand{Name: "python", Run: "pytest -q --junitxml={{.Report}}", Report: "junit", Python: s.pythonFor(pipeline.Command{Tool: "pytest"})})
}

// usesUnittest reports whether the tests need nothing but Python's own library.
func (s *repoInfo) usesUnittest() bool {
	own := false
	for _, file := range s.repo.find(func(base string) bool { return strings.HasPrefix(base, "test_") && path.Ext(base) == ".py" }) {
		text := s.repo.text(file)
		if strings.Contains(text, "pytest") {
			return false
		}
		own = own || strings.Contains(text, "import unittest") || strings.Contains(text, "from unittest")
		s.testsDir = cmp.Or(s.testsDir, path.Dir(file))
	}
	return own && s.Installs == ""
}

func (s *repoInfo) addTest(t testCommand) {
	name := t.Name
	for i := 2; slices.ContainsFunc(s.Tests, func(o testCommand) bool { return o.Name == t.Name }); i++ {
		t.Name = fmt.Sprintf("%s-%d", name, i)
	}
	s.Tests = append(s.Tests, t)
	if t.Source != "" && t.Problem == "" {
		s.note("test."+t.Name, t.Run, t.Source)
	}
}

// ciCommands are the commands of the first source that has any: the CI, then files that
// people run by hand.
func (s *repoInfo) ciCommands() []pipeline.Command {
	if s.from != nil {
		return s.resolveMake(s.from.Commands())
	}
	var out []pipeline.Command
	for _, p := range s.pipelines {
		for _, c := range s.resolveMake(p.Commands()) {
			if !slices.ContainsFunc(out, func(o pipeline.Command) bool { return o.Run == c.Run && o.Dir == c.Dir }) {
				out = append(out, c)
			}
		}
	}
	for _, file := range []string{"Jenkinsfile", "Makefile", "tox.ini"} {
		if len(out) == 0 && s.repo.has(file) {
			out = pipeline.ReadScripts(file, s.repo.text(file)).Commands()
			slices.SortStableFunc(out, func(a, b pipeline.Command) int { return cmp.Compare(a.Source, b.Source) })
		}
	}
	return out
}

// resolveMake replaces make TARGET by the commands of its recipe, where those are known.
func (s *repoInfo) resolveMake(all []pipeline.Command) []pipeline.Command {
	var out []pipeline.Command
	for _, c := range all {
		target, ok := strings.CutPrefix(c.Run, "make ")
		file := path.Join(c.Dir, "Makefile")
		if !ok {
			out = append(out, c)
			continue
		}
		if !s.repo.has(file) {
			continue
		}
		recipe := pipeline.Pipeline{File: file, Jobs: []pipeline.Job{{Steps: []pipeline.Step{{Dir: c.Dir, Lines: pipeline.MakeTargets(s.repo.text(file))[target]}}}}}
		found := recipe.Commands()
		if len(found) == 0 && slices.Contains([]string{"test", "tests", "lint", "check"}, target) {
			out = append(out, c)
		}
		for _, f := range found {
			f.Source = c.Source + ", " + f.Source
			f.Requirements, f.Packages, f.Python = append(f.Requirements, c.Requirements...), append(f.Packages, c.Packages...), cmp.Or(f.Python, c.Python)
			out = append(out, f)
		}
	}
	return out
}

// pythonTools are the tools that a Python environment has.
var pythonTools = map[string]string{
	"pytest": "pytest", "python -m pytest": "pytest", "python3 -m pytest": "pytest", "ruff check": "ruff", "ruff format --check": "ruff", "ruff": "ruff",
	"flake8": "flake8", "black --check": "black", "isort --check": "isort", "isort --check-only": "isort", "mypy": "mypy", "pylint": "pylint",
	"pyright": "pyright", "bandit": "bandit", "python -m unittest": "", "python3 -m unittest": "",
}

var junitOption = regexp.MustCompile(`\s--junit-?xml[= ]\S+`)

// addCommand makes a test of a command of the CI.
func (s *repoInfo) addCommand(c pipeline.Command) {
	t := testCommand{Name: toolName(c.Tool), Run: c.Run, Dir: c.Dir, Source: c.Source}
	pkg, isPython := pythonTools[c.Tool]
	switch {
	case strings.HasPrefix(c.Tool, "go ") && s.GoModule != "":
		return // they are there
	case !isPython:
		t.Problem = "it needs " + strings.Fields(c.Tool)[0] + " on this machine"
	case pkg == "pytest" && !s.PythonTests:
		t.Problem = "no test files were found, and a test command that runs no tests fails"
	}
	switch c.Tool {
	case "pytest", "python -m pytest", "python3 -m pytest":
		t.Name, t.Report = "unit", "junit"
		t.Run = strings.Replace(junitOption.ReplaceAllString(c.Run, ""), c.Tool, c.Tool+" --junitxml={{.Report}}", 1)
	case "ruff check":
		t.Report = "ruff"
		t.Run = strings.Replace(c.Run, c.Tool, c.Tool+" --output-format json", 1)
		if strings.Contains(c.Run, "--output-format") {
			t.Report, t.Run = "", c.Run
		}
	}
	if isPython {
		t.Python = s.pythonFor(c)
	}
	if c.Swallowed && t.Problem == "" {
		t.Source += ", where its failure is ignored"
	}
	s.addTest(t)
}

// toolName is the name of a test by its tool.
func toolName(tool string) string {
	words := strings.Fields(tool)
	switch words[0] {
	case "python", "python3":
		return "unit"
	case "npm", "cargo", "go":
		return words[len(words)-1]
	}
	if slices.Contains(words, "format") {
		return words[0] + "-format"
	}
	return words[0]
}
