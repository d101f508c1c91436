package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// candidate is a Dockerfile that may build the service's image.
type candidate struct {
	*dockerfile
	context string // folder, "." for the top
	missing []copied
	points  int
	serves  bool
	why     string // that it serves, or that it does not
}

var (
	serving      = regexp.MustCompile(`\b(uvicorn|gunicorn|hypercorn|daphne|waitress(?:-serve)?|granian|uwsgi|flask run|fastapi (?:run|dev)|bentoml serve|mlserver start|mlflow models serve|torchserve|tritonserver|tensorflow_model_server|streamlit run|ray serve|serve run|http\.server|npm (?:run )?start|serve)\b`)
	serverScript = regexp.MustCompile(`(?:^|[\s/.])(?:app|main|server|serve|api|wsgi|asgi|inference)(?:\.py|\.js|\b)`)
	scriptWord   = regexp.MustCompile(`[\w./-]+\.py\b`)
	moduleWord   = regexp.MustCompile(`-m\s+([\w.]+)`)
	training     = regexp.MustCompile(`(?i)\b\w*train(?:ing|er)?\w*\b|\bfit\b`)
	serverCode   = regexp.MustCompile(`FastAPI\(|Flask\(|uvicorn\.run|serve_forever|app\.run\(|HTTPServer\(|Starlette\(|grpc\.server|BentoService|ListenAndServe`)
	fittingCode  = regexp.MustCompile(`\.fit\(|train_test_split|xgb\.train\(|lgb\.train\(`)
)

// candidates are the Dockerfiles, the likeliest server first.
func (s *repoInfo) candidates() []candidate {
	var out []candidate
	for _, name := range s.repo.find(dockerfileName.MatchString) {
		if path.Ext(name) == ".md" || strings.HasSuffix(strings.ToLower(name), ".dockerignore") {
			continue
		}
		text := s.repo.text(name)
		if !strings.Contains(strings.ToUpper(text), "FROM ") {
			continue
		}
		c := candidate{dockerfile: parseDockerfile(name, text)}
		s.findContext(&c)
		s.rate(&c)
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(b.points-a.points, strings.Count(a.path, "/")-strings.Count(b.path, "/"), cmp.Compare(a.path, b.path))
	})
	return out
}

// rate judges by the command, the code that it starts, the ports and the name whether
// the image serves.
func (s *repoInfo) rate(c *candidate) {
	command := c.commandLine()
	at := fmt.Sprintf("%s:%d", c.path, command.line)
	_, code := s.startedCode(c, command.text)
	switch {
	case serving.MatchString(command.text):
		c.points, c.serves, c.why = 6, true, fmt.Sprintf("it runs %s (%s)", serving.FindString(command.text), at)
	case serverCode.MatchString(code):
		c.points, c.serves, c.why = 6, true, "the program that it runs is a server ("+at+")"
	case training.MatchString(command.text) || fittingCode.MatchString(code):
		c.points, c.why = -6, "it trains ("+at+")"
	case serverScript.MatchString(command.text):
		c.points, c.serves, c.why = 4, true, "its command is named like a server's ("+at+")"
	case command.text == "":
		c.points, c.why = -1, "it has no command"
	}
	if len(c.last.exposed) > 0 {
		c.points += 2
		if !c.serves && c.points > 0 {
			c.serves, c.why = true, fmt.Sprintf("it exposes a port (%s:%d)", c.path, c.last.exposed[0].line)
		}
	}
	switch base := strings.ToLower(path.Base(c.path)); {
	case base == "dockerfile":
		c.points++
	case strings.Contains(base, "dev") || strings.Contains(base, "test") || strings.Contains(base, "train") || strings.Contains(base, "gpu"):
		c.points -= 2
	}
	if training.MatchString(c.path) {
		c.points -= 2
	}
	if len(c.missing) > 0 {
		c.points -= 4
	}
}

// startedCode returns the Python program that a command starts, and its source.
func (s *repoInfo) startedCode(c *candidate, command string) (file, source string) {
	var names []string
	for _, w := range scriptWord.FindAllString(command, -1) {
		names = append(names, strings.TrimPrefix(path.Clean("/"+w), "/"))
	}
	if m := moduleWord.FindStringSubmatch(command); m != nil {
		module := strings.ReplaceAll(m[1], ".", "/")
		names = append(names, module+".py", module+"/__main__.py")
	}
	for _, n := range names {
		for _, dir := range []string{c.context, path.Dir(c.path), "."} {
			if file := path.Join(dir, n); s.scripts[file] != nil {
				return file, string(s.scripts[file])
			}
		}
		if file := path.Join(path.Dir(c.path), path.Base(n)); s.scripts[file] != nil {
			return file, string(s.scripts[file])
		}
	}
	return "", ""
}

// findContext finds the folder that has what the Dockerfile copies: its own, the top, or
// one between them.
func (s *repoInfo) findContext(c *candidate) {
	own := path.Dir(c.path)
	if context, ok := s.declaredContext(c.path); ok && len(s.missingFrom(c, context)) == 0 {
		c.context = context
		return
	}
	best, fewest := own, len(c.copies)+1
	for dir := own; ; dir = path.Dir(dir) {
		if n := len(s.missingFrom(c, dir)); n < fewest {
			best, fewest = dir, n
		}
		if dir == "." {
			break
		}
	}
	all := slices.ContainsFunc(c.copies, func(f copied) bool { return f.source == "" })
	if own != "." && all && fewest == 0 && best == own && !s.hasSourcesBeside(c.path) {
		best = "." // COPY . and nothing beside it: docker build -f docker/Dockerfile .
	}
	c.context, c.missing = best, s.missingFrom(c, best)
}

func (s *repoInfo) missingFrom(c *candidate, dir string) []copied {
	var out []copied
	for _, f := range c.copies {
		if f.source != "" && !s.repo.matches(path.Join(dir, f.source)) {
			out = append(out, f)
		}
	}
	return out
}

// hasSourcesBeside reports whether the Dockerfile's folder holds more than files for
// Docker.
func (s *repoInfo) hasSourcesBeside(name string) bool {
	dir := path.Dir(name)
	return slices.ContainsFunc(s.repo.files, func(f string) bool {
		return strings.HasPrefix(f, dir+"/") && !dockerfileName.MatchString(path.Base(f)) && !strings.HasSuffix(f, ".sh") && !strings.HasSuffix(f, ".md")
	})
}

// declaredContext is the context that the repository's own CI builds the file with.
func (s *repoInfo) declaredContext(name string) (context string, ok bool) {
	for _, p := range s.allPipelines() {
		f := p.Facts()
		if path.Clean(f.Dockerfile.Text) == name && f.Context.Text != "" && !strings.ContainsAny(f.Context.Text, "${:") {
			return path.Clean(f.Context.Text), true
		}
	}
	return "", false
}

// chooseImage takes the likeliest server, or notes that there are several services.
func (s *repoInfo) chooseImage() {
	all := s.candidates()
	if len(all) == 0 {
		return
	}
	best := all[0]
	s.Services = servicesOf(all)
	s.Dockerfile, s.Context = best.path, best.context
	s.note("image.build.dockerfile", best.path, best.why+passedOver(all[1:]))
	if !best.serves {
		s.lack("%s: its image was not recognized as a server; its command is %q", best.path, best.commandLine().text)
	}
	if s.Context != "." {
		s.note("image.build.context", s.Context, "what "+best.path+" copies is there")
	} else if path.Dir(best.path) != "." {
		s.note("image.build.context", ".", "what "+best.path+" copies is at the top")
	}
	for _, m := range best.missing {
		s.lack("%s:%d copies %s, which is not in the repository: the build needs it", best.path, m.line, m.source)
	}
	s.choosePort(best)
}

var (
	portInCode = regexp.MustCompile(`\.run\([^)]*\bport\s*=\s*(\d{2,5})|Server\(\s*\(\s*["'][^"']*["']\s*,\s*(\d{2,5})\s*\)`)
	portOfEnv  = regexp.MustCompile(`(?:environ|getenv)\b[^\n]*["']PORT["']`)
)

// choosePort finds the port in the Dockerfile, or else in the program that it starts.
func (s *repoInfo) choosePort(c candidate) {
	p, ok := c.port()
	if ok {
		s.Port, s.PortAt = p.number, fmt.Sprintf("%s:%d", c.path, p.line)
		s.note("deploy.port", strconv.Itoa(p.number), fmt.Sprintf("%s (%s)", p.how, s.PortAt))
		return
	}
	file, code := s.startedCode(&c, c.commandLine().text)
	m := portInCode.FindStringSubmatchIndex(code)
	if m == nil || portOfEnv.MatchString(code) {
		return
	}
	for g := 1; g <= 2; g++ {
		if m[2*g] >= 0 {
			s.Port, _ = strconv.Atoi(code[m[2*g]:m[2*g+1]])
			s.PortAt = fmt.Sprintf("%s:%d", file, lineOf(code, m[2*g]))
			s.note("deploy.port", strconv.Itoa(s.Port), "the server's code ("+s.PortAt+")")
		}
	}
}

// passedOver names the other Dockerfiles, and why the first of them was not taken.
func passedOver(others []candidate) string {
	if len(others) == 0 {
		return ""
	}
	text := "; not " + others[0].path
	if why := others[0].why; why != "" && !others[0].serves {
		text += ": " + why
	}
	if len(others) > 1 {
		text += fmt.Sprintf(", and %d more", len(others)-1)
	}
	return text
}

// Service is one of several services in a repository.
type Service struct {
	Name       string `json:"name"`
	Dir        string `json:"dir"`
	Dockerfile string `json:"dockerfile"`
	Command    string `json:"command"` // that writes its slipway.yaml
}

// servicesOf lists the services if there are several of them, each in its own folder.
func servicesOf(all []candidate) []Service {
	var out []Service
	for _, c := range all {
		dir := path.Dir(c.path)
		if base := path.Base(dir); base == "docker" || base == ".docker" || base == "build" {
			dir = path.Dir(dir)
		}
		known := slices.ContainsFunc(out, func(o Service) bool { return o.Dir == dir })
		if !c.serves || len(c.missing) > 0 || known {
			continue
		}
		if dir == "." || c.context == "." {
			return nil // a service at the top has the repository
		}
		out = append(out, Service{Name: serviceName(path.Base(dir)), Dir: dir, Dockerfile: c.path, Command: "(cd " + dir + " && slipway init)"})
	}
	if len(out) < 2 {
		return nil
	}
	slices.SortFunc(out, func(a, b Service) int { return cmp.Compare(a.Dir, b.Dir) })
	return out
}
