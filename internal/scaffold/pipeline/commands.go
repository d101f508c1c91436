package pipeline

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Command is a test or a lint command that a CI runs, or make with any target.
type Command struct {
	Run          string // without what swallows its failure
	Dir          string
	Tool         string   // pytest, ruff, go test...
	Requirements []string // files that the job installs
	Packages     []string // that the job installs by name
	Python       string   // version that the job sets up
	Source       string   // FILE:LINE
	Swallowed    bool     // the CI ignores its failure
}

// tools are the programs that test or lint, as the words that a command begins with.
var tools = []string{
	"pytest", "python -m pytest", "python3 -m pytest", "python -m unittest", "python3 -m unittest", "tox", "nox",
	"ruff check", "ruff format --check", "ruff", "flake8", "black --check", "isort --check", "isort --check-only", "mypy", "pylint", "pyright", "bandit",
	"go test", "go vet", "golangci-lint", "make", "npm test", "npm run lint", "npm run test", "cargo test", "cargo clippy",
}

// wrappers run the command that follows them.
var wrappers = []string{"poetry run", "uv run", "pipenv run", "hatch run", "pdm run", "conda run", "coverage run -m", "time", "sudo"}

var (
	swallowing    = regexp.MustCompile(`\s*(\|\|\s*(true|:|exit 0|echo\b.*)|;\s*true)\s*$`)
	outputPipe    = regexp.MustCompile(`\s*\|\s*tee\s+\S+\s*$`)
	pipInstall    = regexp.MustCompile(`(?:^|\s)(?:pip3?|uv pip) install\s+(.*)$`)
	packageName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?([=<>!~]=?[A-Za-z0-9.*,<>=!]+)?$`)
	pythonVersion = regexp.MustCompile(`^3\.\d{1,2}$`)
	pythonImage   = regexp.MustCompile(`(?:^|/)python:(3\.\d{1,2})`)
	makeCommand   = regexp.MustCompile(`^make [A-Za-z0-9_-]+$`)
	changeFolder  = regexp.MustCompile(`^cd\s+(\S+)$`)
)

// Commands are the test and lint commands of the pipeline, each once.
func (p *Pipeline) Commands() []Command {
	var out []Command
	for _, j := range p.Jobs {
		for _, c := range p.jobCommands(j) {
			twice := func(o Command) bool { return o.Run == c.Run && o.Dir == c.Dir }
			if !slices.ContainsFunc(out, twice) {
				out = append(out, c)
			}
		}
	}
	return out
}

func (p *Pipeline) jobCommands(j Job) []Command {
	version := ""
	if m := pythonImage.FindStringSubmatch(j.Image.Text); m != nil {
		version = m[1]
	}
	var out []Command
	var files, packages []string
	for _, s := range j.Steps {
		if v, ok := s.Parameter("python-version"); ok && pythonVersion.MatchString(v.Value) {
			version = v.Value
		}
		for _, l := range s.Lines {
			text, known := p.Expand(l.Text)
			dir := s.Dir
			for _, part := range splitCommands(text) {
				if m := changeFolder.FindStringSubmatch(part); m != nil {
					dir = path.Join(dir, m[1])
					continue
				}
				if m := pipInstall.FindStringSubmatch(part); m != nil {
					f, k := installs(m[1])
					for i := range f {
						f[i] = path.Join(dir, f[i])
					}
					files, packages = append(files, f...), append(packages, k...)
					continue
				}
				run, tool := testCommand(part)
				if tool == "" || !known || strings.HasPrefix(dir, "/") || strings.HasPrefix(dir, "..") {
					continue
				}
				out = append(out, Command{Run: run, Dir: dir, Tool: tool, Source: p.At(l.Line), Swallowed: swallowing.MatchString(text) || s.FailureIgnore > 0 || j.FailureIgnore > 0})
			}
		}
	}
	for i := range out {
		out[i].Requirements, out[i].Packages, out[i].Python = files, packages, version
	}
	return out
}

// splitCommands splits a line at && and ;, outside of quotes.
func splitCommands(line string) []string {
	line = swallowing.ReplaceAllString(line, "")
	var out []string
	quote, start := byte(0), 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';' || c == '&' && i+1 < len(line) && line[i+1] == '&':
			out = append(out, strings.TrimSpace(line[start:i]))
			if c == '&' {
				i++
			}
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(line[start:]))
}

// testCommand returns the command without what wraps it, and its tool; no tool if it
// neither tests nor lints.
func testCommand(text string) (run, tool string) {
	text = outputPipe.ReplaceAllString(text, "")
	for _, w := range wrappers {
		text = strings.TrimPrefix(text, w+" ")
	}
	text = strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(text, " --exit-zero", "")), ";")
	if strings.ContainsAny(text, "|<>`") || strings.Contains(text, "$(") {
		return "", ""
	}
	for _, t := range tools {
		if text == t || strings.HasPrefix(text, t+" ") {
			if len(t) > len(tool) {
				run, tool = text, t
			}
		}
	}
	if tool == "make" && !makeCommand.MatchString(text) {
		return "", ""
	}
	if tool == "ruff" && !strings.Contains(text, "check") && !strings.HasPrefix(text, "ruff .") {
		return "", ""
	}
	return run, tool
}

// installs splits the arguments of pip install.
func installs(args string) (files, packages []string) {
	words := strings.Fields(args)
	for i := 0; i < len(words); i++ {
		word := strings.Trim(words[i], `"'`)
		switch {
		case word == "-r" || word == "--requirement":
			if i++; i < len(words) {
				files = append(files, strings.Trim(words[i], `"'`))
			}
		case strings.HasPrefix(word, "-r"):
			files = append(files, word[2:])
		case strings.HasPrefix(word, "-"):
			if slices.Contains([]string{"-i", "--index-url", "--extra-index-url", "-c", "-f", "-e", "--find-links", "--editable"}, word) {
				i++
			}
		case packageName.MatchString(word) && !slices.Contains([]string{"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "tox", "nox"}, word):
			packages = append(packages, word)
		}
	}
	return files, packages
}
