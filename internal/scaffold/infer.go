package scaffold

import (
	"maps"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// infer makes commands of what was found.
func (s *repoInfo) infer() {
	if s.GoModule == "" {
		s.mains, s.GoTests = nil, false
	}
	train, trainIsGo := s.findProgram("train", "training", "fit")
	evaluate, evaluateIsGo := s.findProgram("evaluate", "evaluation", "eval")
	s.Server = s.findServer(train, evaluate)
	if train == "" || evaluate == "" {
		return
	}
	var sure bool
	s.Train, sure = s.commandLine(train, trainIsGo, option{"{{.Output}}", []string{"out", "output", "model-dir"}})
	s.Train = quoteCommand(s.Train, sure)
	s.Evaluate, sure = s.commandLine(evaluate, evaluateIsGo,
		option{"{{.Model}}", []string{"model", "model-dir"}}, option{"{{.Metrics}}", []string{"out", "metrics", "output"}})
	s.Evaluate = quoteCommand(s.Evaluate, sure)
	s.TrainInputs, s.EvalInputs = s.inputGlobs(train, trainIsGo), s.inputGlobs(evaluate, evaluateIsGo)
	s.proposeGates()
}

// option is a value that a command needs, and how programs call it.
type option struct {
	value string
	names []string
}

// commandLine calls a program; it is sure when the source has all the options.
func (s *repoInfo) commandLine(name string, isGo bool, needs ...option) (text string, sure bool) {
	source, dash, text := s.scripts[name], "--", "python "+name
	if isGo {
		source, dash, text = s.mains[path.Clean(name)], "-", "go run "+name
	}
	if s.Data != "" {
		needs = append([]option{{"{{.Data}}", []string{"data", "input", "csv"}}}, needs...)
	}
	sure = true
	for _, n := range needs {
		flag, found := findFlag(source, n.names...)
		sure = sure && found
		text += " " + dash + flag + " " + n.value
	}
	return text, sure
}

func quoteCommand(command string, sure bool) string {
	if !sure {
		return strconv.Quote(command) + " # check its options"
	}
	return strconv.Quote(command)
}

// inputGlobs are the files that a Go program is made of, as far as they are where
// they usually are. A Python script may import anything: all files.
func (s *repoInfo) inputGlobs(name string, isGo bool) string {
	if !isGo {
		return ""
	}
	globs := []string{strconv.Quote(path.Clean(name) + "/**")}
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

// findProgram finds a main package or a script by its name.
func (s *repoInfo) findProgram(names ...string) (command string, isGo bool) {
	for _, dir := range slices.Sorted(maps.Keys(s.mains)) {
		if slices.Contains(names, path.Base(dir)) {
			return "./" + dir, true
		}
	}
	for _, script := range slices.Sorted(maps.Keys(s.scripts)) {
		if slices.Contains(names, strings.TrimSuffix(path.Base(script), ".py")) {
			return script, false
		}
	}
	return "", false
}

// findServer returns the main package that is most likely the server.
func (s *repoInfo) findServer(others ...string) string {
	best, most := "", 0
	for _, dir := range slices.Sorted(maps.Keys(s.mains)) {
		command, points := "./"+dir, 1
		if dir == "." {
			command = "."
		}
		if slices.Contains(others, command) {
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

// proposeGates proposes one threshold per metric, and one comparison with the
// deployed model.
func (s *repoInfo) proposeGates() {
	sort.Strings(s.metrics)
	for i, m := range s.metrics {
		if i == 2 {
			break
		}
		if slices.Contains(lowerIsBetter, m) {
			s.Gates = append(s.Gates, m+" <= champion."+m+" * 1.01")
			continue
		}
		s.Gates = append(s.Gates, m+" >= 0.8", m+" >= champion."+m+" - 0.01")
	}
	if len(s.Gates) == 0 {
		s.Gates = []string{"accuracy >= 0.8 # name a metric that evaluation writes"}
	}
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
	if len(parts) == 0 {
		return "nothing recognized"
	}
	return strings.Join(parts, ", ")
}
