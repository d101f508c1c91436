package pipeline

import (
	"path"
	"regexp"
	"strings"
)

var (
	jenkinsShell = regexp.MustCompile(`(?s)\bsh\s*\(?\s*(?:script:\s*)?(?:'''(.*?)'''|"""(.*?)"""|'([^'\n]*)'|"([^"\n]*)")`)
	makeTarget   = regexp.MustCompile(`^([A-Za-z0-9_.-]+)\s*:(?:[^=]|$)`)
	toxSection   = regexp.MustCompile(`^\[testenv.*\]`)
)

// ReadScripts reads the commands of a Jenkinsfile, a Makefile or a tox.ini. Other files,
// and those without commands, have none.
func ReadScripts(file, text string) *Pipeline {
	p := &Pipeline{File: file}
	switch path.Base(file) {
	case "Jenkinsfile":
		p.Jobs = []Job{{Name: "Jenkins", Steps: []Step{{Lines: jenkinsLines(text)}}}}
	case "Makefile":
		for target, lines := range MakeTargets(text) {
			switch target {
			case "test", "tests", "unit", "unittest", "lint", "check", "typecheck":
				p.Jobs = append(p.Jobs, Job{Name: target, Steps: []Step{{Lines: lines}}})
			}
		}
	case "tox.ini":
		p.Jobs = []Job{{Name: "tox", Steps: []Step{{Lines: toxLines(text)}}}}
	}
	return p
}

func jenkinsLines(text string) []Entry {
	var out []Entry
	for _, m := range jenkinsShell.FindAllStringSubmatchIndex(text, -1) {
		for g := 1; g <= 4; g++ {
			if m[2*g] < 0 {
				continue
			}
			first := 1 + strings.Count(text[:m[2*g]], "\n")
			for i, line := range strings.Split(text[m[2*g]:m[2*g+1]], "\n") {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					out = append(out, Entry{line, first + i})
				}
			}
		}
	}
	return out
}

// MakeTargets returns the recipes of a Makefile by their targets.
func MakeTargets(text string) map[string][]Entry {
	out := map[string][]Entry{}
	target := ""
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "\t") {
			if m := makeTarget.FindStringSubmatch(line); m != nil {
				target = m[1]
			}
			continue
		}
		command := strings.TrimSpace(line)
		ignored := strings.HasPrefix(strings.TrimLeft(command, "@"), "-")
		command = strings.TrimLeft(command, "@-+ ")
		if ignored {
			command += " || true"
		}
		if target != "" && command != "" && !strings.HasPrefix(command, "#") {
			out[target] = append(out[target], Entry{command, i + 1})
		}
	}
	return out
}

func toxLines(text string) []Entry {
	var out []Entry
	inside, commands := false, false
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		indented := line != "" && (line[0] == ' ' || line[0] == '\t')
		switch {
		case strings.HasPrefix(trimmed, "["):
			inside, commands = toxSection.MatchString(trimmed), false
			continue
		case !indented && trimmed != "":
			name, value, _ := strings.Cut(trimmed, "=")
			commands = inside && strings.TrimSpace(name) == "commands"
			trimmed = strings.TrimSpace(value)
		}
		if trimmed = strings.TrimSpace(strings.ReplaceAll(trimmed, "{posargs}", "")); commands && trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			out = append(out, Entry{trimmed, i + 1})
		}
	}
	return out
}
