package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

var requirementLine = regexp.MustCompile(`(?m)^\s*(?:-r\s*\S|[A-Za-z0-9])`)

// pythonFor is the environment that a command of Python needs, as YAML: "" for none.
func (s *repoInfo) pythonFor(c pipeline.Command) string {
	file := ""
	for _, f := range c.Requirements {
		better := strings.Contains(path.Base(f), "dev") || strings.Contains(path.Base(f), "test")
		if s.repo.has(f) && (file == "" || better) {
			file = f
		}
	}
	for _, f := range c.Requirements {
		if !s.repo.has(f) {
			s.lack("%s installs %s, which is not in the repository", c.Source, f)
		}
	}
	if lock := strings.HasPrefix(s.Installs, "lock:"); file == "" && lock {
		return s.Installs + s.pythonVersion(c.Python)
	}
	if file == "" {
		file = s.defaultRequirements(c)
	}
	var packages []string
	text := ""
	if file != "" {
		text = s.repo.text(file)
	}
	if c.Tool != "" {
		packages = s.packagesBeside(file, c)
	}
	switch {
	case file != "" && !requirementLine.MatchString(text) && len(packages) == 0:
		return "" // nothing is installed
	case file == "" && len(packages) == 0:
		return ""
	}
	var parts []string
	if file != "" {
		parts = append(parts, "requirements: "+file)
	}
	if len(packages) > 0 {
		parts = append(parts, "packages: ["+strings.Join(packages, ", ")+"]")
	}
	return strings.Join(parts, ", ") + s.pythonVersion(c.Python)
}

// packagesBeside are the packages that a command needs and the requirements lack.
func (s *repoInfo) packagesBeside(file string, c pipeline.Command) []string {
	text := s.allRequirements(file, 0)
	tool := pythonTools[c.Tool]
	listed := func(name string) bool {
		return regexp.MustCompile(`(?mi)^\s*` + regexp.QuoteMeta(name) + `\b`).MatchString(text)
	}
	var out []string
	for _, p := range append(slices.Clone(c.Packages), tool) {
		bare := bareName(p)
		known := slices.ContainsFunc(out, func(o string) bool { return bareName(strings.Trim(o, `"`)) == bare })
		if bare == "" || known || listed(bare) {
			continue
		}
		out = append(out, yamlString(p))
	}
	return out
}

// defaultRequirements are those for a command whose job names none.
func (s *repoInfo) defaultRequirements(c pipeline.Command) string {
	if file, ok := strings.CutPrefix(s.Installs, "requirements: "); ok {
		return file
	}
	return s.requirementsNear(cmp.Or(c.Dir, s.Context, "."))
}

// bareName is a package's name without extras and version.
func bareName(requirement string) string {
	if i := strings.IndexAny(requirement, "[=<>!~ ;"); i >= 0 {
		return requirement[:i]
	}
	return requirement
}

// allRequirements is the text of a requirements file and of those that it includes.
func (s *repoInfo) allRequirements(file string, depth int) string {
	if file == "" || depth > 3 {
		return ""
	}
	text := s.repo.text(file)
	for _, m := range includedFile.FindAllStringSubmatch(text, -1) {
		text += "\n" + s.allRequirements(path.Join(path.Dir(file), m[1]), depth+1)
	}
	return text
}

var includedFile = regexp.MustCompile(`(?m)^\s*-r\s*(\S+)`)

// requirementsNear finds the requirements of a folder, or of those above it.
func (s *repoInfo) requirementsNear(dir string) string {
	for dir = path.Clean(dir); ; dir = path.Dir(dir) {
		if file := path.Join(dir, "requirements.txt"); s.repo.has(file) {
			return file
		}
		if dir == "." || dir == "/" {
			return ""
		}
	}
}

// pythonVersion asks for the version that the CI has, if this machine has it.
func (s *repoInfo) pythonVersion(version string) string {
	if version == "" || s.lookPath == nil {
		return ""
	}
	if _, err := s.lookPath("python" + version); err != nil {
		s.lack("the CI uses Python %s, which is not in PATH: the first python3 there is used", version)
		return ""
	}
	return fmt.Sprintf(`, version: "%s"`, version)
}
