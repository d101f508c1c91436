package scaffold

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// infer makes of what was found what a slipway.yaml says.
func (s *repoInfo) infer() {
	if s.GoModule == "" {
		s.mains, s.GoTests = nil, false
	}
	s.findClasses()
	s.Server = s.findServer()
	s.readPipelines()
	if s.Server == "" {
		s.chooseImage()
	} else if all := s.candidates(); len(all) > 0 {
		s.Dockerfile = all[0].path
	}
	if len(s.Services) > 0 {
		return
	}
	if s.Server == "" && s.Dockerfile == "" {
		s.lack("neither a Go server nor a Dockerfile was found: image.build names ./cmd/api, which does not exist")
	}
	s.findRoutes()
	s.findTests()
	s.findModel()
}

// note records where a value was found.
func (s *repoInfo) note(key, value, source string) {
	s.Found = append(s.Found, Finding{key, value, source})
}

// lack records, once, what is missing for the file to run.
func (s *repoInfo) lack(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.Missing, text) {
		s.Missing = append(s.Missing, text)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// inputGlobs are the files that a Go program is made of, as far as they are where
// they usually are. A Python script may import anything: all files.
func (s *repoInfo) inputGlobs(p program) string {
	if !p.isGo {
		return ""
	}
	globs := []string{strconv.Quote(path.Clean(p.path) + "/**")}
	for _, top := range []string{"internal", "pkg"} {
		if s.topLevel[top] {
			globs = append(globs, strconv.Quote(top+"/**"))
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		if s.topLevel[file] {
			globs = append(globs, file)
		}
	}
	return "[" + strings.Join(globs, ", ") + "]"
}

// findServer returns the main package that is most likely the server.
func (s *repoInfo) findServer() string {
	best, most := "", 0
	for _, dir := range sortedKeys(s.mains) {
		command, points := "./"+dir, 1
		if dir == "." {
			command = "."
		}
		if slices.Contains([]string{"train", "training", "fit", "evaluate", "evaluation", "eval"}, path.Base(dir)) {
			continue
		}
		if slices.Contains([]string{"api", "server", "serve", "service", "predict"}, path.Base(dir)) {
			points += 4
		}
		if text := string(s.mains[dir]); strings.Contains(text, "net/http") || strings.Contains(text, "ListenAndServe") {
			points += 2
		}
		if points > most {
			best, most = command, points
		}
	}
	return best
}

// String lists what was found, in one line.
func (s *repoInfo) String() string {
	var parts []string
	say := func(yes bool, text string) {
		if yes {
			parts = append(parts, text)
		}
	}
	say(s.GoModule != "", "Go module "+s.GoModule)
	say(s.Server != "", "server "+s.Server)
	say(s.GoTests, "Go tests")
	say(s.Python, "Python")
	say(s.PythonTests, "Python tests")
	say(s.Train != "", "training and evaluation")
	say(s.Data != "", "data "+s.Data)
	say(s.Dockerfile != "", s.Dockerfile)
	say(s.Manifests != "", "Kubernetes manifests in "+s.Manifests)
	return cmp.Or(strings.Join(parts, ", "), "nothing recognized")
}
