package scaffold

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// isModule reports whether a script is part of a package that it imports from.
func (s *repoInfo) isModule(p program) bool {
	top, _, below := strings.Cut(p.path, "/")
	imports := regexp.MustCompile(`(?m)^\s*(?:from\s+` + regexp.QuoteMeta(top) + `[.\s]|from\s+\.|import\s+` + regexp.QuoteMeta(top) + `\b)`)
	return below && imports.Match(p.source)
}

// pythonOf is the environment of a script, as YAML.
func (s *repoInfo) pythonOf(p program) string {
	if p.isGo {
		return ""
	}
	if strings.HasPrefix(s.Installs, "lock:") {
		return s.Installs
	}
	near, development := s.requirementsNear(path.Dir(p.path)), strings.TrimPrefix(s.Installs, "requirements: ")
	file := near
	if file == "" || development != "" && s.countImports(p, development) > s.countImports(p, near) {
		file = development
	}
	return s.pythonFor(pipeline.Command{Requirements: compact(file), Dir: path.Dir(p.path)})
}

func compact(words ...string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

var importLine = regexp.MustCompile(`(?m)^\s*(?:from|import)\s+(\w+)`)

// distributions are packages whose modules have another name.
var distributions = map[string]string{"sklearn": "scikit-learn", "yaml": "pyyaml", "cv2": "opencv", "PIL": "pillow", "dotenv": "python-dotenv"}

// countImports counts the packages that a script and those beside it import and that
// requirements list.
func (s *repoInfo) countImports(p program, requirements string) int {
	text := strings.ToLower(s.allRequirements(requirements, 0))
	found := map[string]bool{}
	for file, source := range s.scripts {
		if path.Dir(file) != path.Dir(p.path) {
			continue
		}
		for _, m := range importLine.FindAllSubmatch(source, -1) {
			name := cmp.Or(distributions[string(m[1])], strings.ToLower(string(m[1])))
			if regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(name) + `\b`).MatchString(text) {
				found[name] = true
			}
		}
	}
	return len(found)
}
