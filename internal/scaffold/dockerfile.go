package scaffold

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// dockerfile is what a Dockerfile says about the image that it builds.
type dockerfile struct {
	path   string
	last   stage
	copies []copied // from the build context, of all stages
}

// stage is one of the stages of a Dockerfile; a later one may build on it.
type stage struct {
	entrypoint, command phrase
	exposed             []port
	env                 map[string]string
}

// phrase is a text of a Dockerfile and its line.
type phrase struct {
	text string
	line int
}

// port is a port of the server and the line that says so.
type port struct {
	number, line int
	how          string // EXPOSE, or its command
}

// copied is a source of COPY or ADD.
type copied struct {
	source string // below the context
	line   int
}

var (
	dockerfileName  = regexp.MustCompile(`(?i)^((docker|container)file(\.[a-z0-9_-]+)?|[a-z0-9_-]+\.dockerfile)$`)
	dockerVariable  = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}?`)
	heredocMark     = regexp.MustCompile(`<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)
	portInCommand   = regexp.MustCompile(`(?:--port[ =]|-p |--bind[ =]\S*:|-b \S*:|http\.server )(\d{2,5})\b`)
	instructionLine = regexp.MustCompile(`^\s*([A-Za-z]+)\s+(.*)$`)
)

// instruction is one instruction, continued lines joined.
type instruction struct {
	name, args string
	line       int
}

func instructionsOf(text string) []instruction {
	var out []instruction
	open, heredoc := false, ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if heredoc != "" {
			if trimmed == heredoc {
				heredoc = ""
			}
			continue
		}
		if strings.HasPrefix(trimmed, "#") || trimmed == "" {
			continue
		}
		continues := strings.HasSuffix(trimmed, `\`)
		part := strings.TrimSpace(strings.TrimSuffix(trimmed, `\`))
		if open {
			out[len(out)-1].args += " " + part
		} else if m := instructionLine.FindStringSubmatch(part); m != nil {
			out = append(out, instruction{strings.ToUpper(m[1]), m[2], i + 1})
		} else {
			continue
		}
		if m := heredocMark.FindStringSubmatch(part); m != nil {
			heredoc = m[1]
		}
		open = continues
	}
	return out
}

func parseDockerfile(name, text string) *dockerfile {
	d := &dockerfile{path: name}
	stages := map[string]stage{}
	current := stage{env: map[string]string{}}
	label := ""
	for _, in := range instructionsOf(text) {
		switch in.name {
		case "FROM":
			stages[label] = current
			words := strings.Fields(in.args)
			for len(words) > 0 && strings.HasPrefix(words[0], "--") {
				words = words[1:]
			}
			next := stage{env: map[string]string{}}
			if len(words) > 0 {
				if from, ok := stages[strings.ToLower(words[0])]; ok && words[0] != "" {
					next = from
					next.env = maps.Clone(from.env)
				}
			}
			current, label = next, ""
			if len(words) == 3 && strings.EqualFold(words[1], "as") {
				label = strings.ToLower(words[2])
			}
		case "ENV", "ARG":
			addVariables(current.env, in.args)
		case "EXPOSE":
			for _, w := range strings.Fields(expandVariables(in.args, current.env)) {
				number, _, _ := strings.Cut(w, "/")
				if n, err := strconv.Atoi(number); err == nil && n > 0 && n < 65536 {
					current.exposed = append(current.exposed, port{n, in.line, "EXPOSE"})
				}
			}
		case "CMD":
			current.command = phrase{commandText(in.args), in.line}
		case "ENTRYPOINT":
			current.entrypoint, current.command = phrase{commandText(in.args), in.line}, phrase{}
		case "COPY", "ADD":
			d.addCopies(in)
		}
	}
	d.last = current
	return d
}

func addVariables(env map[string]string, args string) {
	if !strings.Contains(args, "=") {
		if name, value, ok := strings.Cut(args, " "); ok {
			env[name] = strings.TrimSpace(value)
		}
		return
	}
	for _, w := range strings.Fields(args) {
		if name, value, ok := strings.Cut(w, "="); ok {
			env[name] = strings.Trim(value, `"'`)
		}
	}
}

func expandVariables(text string, env map[string]string) string {
	return dockerVariable.ReplaceAllStringFunc(text, func(m string) string {
		parts := dockerVariable.FindStringSubmatch(m)
		if v, ok := env[parts[1]]; ok {
			return v
		}
		return parts[2]
	})
}

// commandText is a command in either form as one line.
func commandText(args string) string {
	var words []string
	if json.Unmarshal([]byte(args), &words) == nil {
		return strings.Join(words, " ")
	}
	return args
}

func (d *dockerfile) addCopies(in instruction) {
	args := in.args
	for strings.HasPrefix(args, "--") {
		flag, rest, _ := strings.Cut(args, " ")
		if strings.HasPrefix(flag, "--from") {
			return
		}
		args = strings.TrimSpace(rest)
	}
	var words []string
	if json.Unmarshal([]byte(args), &words) != nil {
		words = strings.Fields(args)
	}
	for _, w := range words[:max(len(words)-1, 0)] {
		if strings.Contains(w, "://") || strings.Contains(w, "<<") || strings.Contains(w, "$") || strings.HasPrefix(w, "git@") {
			continue
		}
		d.copies = append(d.copies, copied{strings.TrimPrefix(path.Clean("/"+w), "/"), in.line})
	}
}

// commandLine is what the image runs.
func (d *dockerfile) commandLine() phrase {
	p := phrase{strings.TrimSpace(d.last.entrypoint.text + " " + d.last.command.text), d.last.command.line}
	if p.line == 0 {
		p.line = d.last.entrypoint.line
	}
	return p
}

// port returns the port that the server listens on: the one in its command, or else the
// one that the image exposes.
func (d *dockerfile) port() (port, bool) {
	command := d.commandLine()
	if m := portInCommand.FindStringSubmatch(command.text); m != nil {
		n, err := strconv.Atoi(m[1])
		return port{n, command.line, "its command"}, err == nil && n < 65536
	}
	if len(d.last.exposed) == 1 {
		return d.last.exposed[0], true
	}
	return port{}, false
}
