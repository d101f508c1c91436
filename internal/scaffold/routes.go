package scaffold

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// route is what the server responds to.
type route struct {
	method, path string
	file         string
	line         int
	body         string // name of the type of its body; "" if not known
	list         bool   // of such bodies
}

var (
	decorator     = regexp.MustCompile(`(?m)^[ \t]*@(\w+)\.(get|post|put|route|api_route)\(\s*["']([^"'\s]+)["']([^\n]*)`)
	routerPrefix  = regexp.MustCompile(`(?m)^(\w+)\s*=\s*(?:APIRouter|Blueprint)\([^)]*?(?:prefix|url_prefix)\s*=\s*["']([^"']+)["']`)
	includeRouter = regexp.MustCompile(`(?:include_router|register_blueprint)\(\s*(?:\w+\.)*?(\w+?)(?:\.(?:router|bp|blueprint|api))?\s*,[^)]*?(?:prefix|url_prefix)\s*=\s*["']([^"']+)["']`)
	handlerParams = regexp.MustCompile(`(?s)^\s*(?:@[^\n]*\n\s*)*(?:async\s+)?def\s+\w+\(([^)]*(?:\([^)]*\)[^)]*)*)\)`)
	annotation    = regexp.MustCompile(`\w+\s*:\s*(?:Annotated\[)?(?:(List|list)\[)?([A-Z]\w*)\]?`)
	stdlibMethod  = regexp.MustCompile(`(?m)^([ \t]+)def do_(GET|POST|PUT)\(`)
	stdlibPath    = regexp.MustCompile(`\.path(?:\.split\([^)]*\)\[0\])?\s*(?:==|!=)\s*["'](/[^"'\s]*)["']|\bpath\s*(?:==|!=)\s*["'](/[^"'\s]*)["']|["'](/[A-Za-z0-9_/-]+)["']\s*:\s*(?:self\.)?\w+`)
)

// routesOf finds the routes in a Python file: decorators of FastAPI and Flask, and
// handlers of http.server.
func routesOf(file, source string) []route {
	prefixes := map[string]string{}
	for _, m := range routerPrefix.FindAllStringSubmatch(source, -1) {
		prefixes[m[1]] = m[2]
	}
	var out []route
	for _, m := range decorator.FindAllStringSubmatchIndex(source, -1) {
		group := func(i int) string { return source[m[2*i]:m[2*i+1]] }
		r := route{path: prefixes[group(1)] + group(3), file: file, line: lineOf(source, m[6])}
		switch kind, rest := group(2), group(4); {
		case kind == "get", kind == "post", kind == "put":
			r.method = strings.ToUpper(kind)
		case strings.Contains(rest, "POST"):
			r.method = "POST"
		default:
			r.method = "GET"
		}
		after := source[m[1]:]
		if p := handlerParams.FindStringSubmatch(after); p != nil {
			for _, a := range annotation.FindAllStringSubmatch(p[1], -1) {
				if !slices.Contains([]string{"Request", "Response", "Depends", "BackgroundTasks", "UploadFile", "File", "Header", "Query", "Optional"}, a[2]) && r.body == "" {
					r.body, r.list = a[2], a[1] != ""
				}
			}
		}
		out = append(out, r)
	}
	return append(out, stdlibRoutes(file, source)...)
}

func stdlibRoutes(file, source string) []route {
	var out []route
	starts := stdlibMethod.FindAllStringSubmatchIndex(source, -1)
	for _, m := range starts {
		indent, method := source[m[2]:m[3]], source[m[4]:m[5]]
		body := source[m[1]:]
		if i := strings.Index(body, "\n"+indent+"def "); i >= 0 {
			body = body[:i]
		}
		if method == "GET" && !strings.Contains(body, "path") {
			out = append(out, route{method: method, path: "/", file: file, line: lineOf(source, m[4])}) // whatever the path is
		}
		for _, p := range stdlibPath.FindAllStringSubmatchIndex(body, -1) {
			for g := 1; g <= 3; g++ {
				if p[2*g] >= 0 {
					out = append(out, route{method: method, path: body[p[2*g]:p[2*g+1]], file: file, line: lineOf(source, m[1]+p[2*g])})
				}
			}
		}
	}
	return out
}

// findRoutes collects the server's routes, with the prefixes under which they are
// included.
func (s *repoInfo) findRoutes() {
	included := map[string]string{}
	for _, file := range sortedKeys(s.scripts) {
		for _, m := range includeRouter.FindAllStringSubmatch(string(s.scripts[file]), -1) {
			included[m[1]] = m[2]
		}
	}
	for _, file := range sortedKeys(s.scripts) {
		if !s.isOfServer(file) {
			continue
		}
		for _, r := range routesOf(file, string(s.scripts[file])) {
			module := strings.TrimSuffix(path.Base(file), ".py")
			if prefix := included[module]; prefix != "" && !strings.HasPrefix(r.path, prefix) {
				r.path = strings.TrimSuffix(prefix+r.path, "/")
			}
			if httpPathPattern.MatchString(r.path) {
				s.routes = append(s.routes, r)
			}
		}
	}
	s.chooseHealth()
	s.choosePredict()
}

var httpPathPattern = regexp.MustCompile(`^/[A-Za-z0-9_./-]*$`)

// isOfServer reports whether a script may be part of the image.
func (s *repoInfo) isOfServer(file string) bool {
	dir := s.Context
	return isOfProgram(file) && (dir == "" || dir == "." || strings.HasPrefix(file, dir+"/"))
}

// isOfProgram reports whether a script is no test.
func isOfProgram(file string) bool {
	base := path.Base(file)
	return !strings.HasPrefix(base, "test_") && !strings.HasSuffix(base, "_test.py") && base != "conftest.py" &&
		!slices.ContainsFunc(strings.Split(path.Dir(file), "/"), func(d string) bool { return d == "tests" || d == "test" })
}

var (
	healthPaths  = []string{"/health", "/healthz", "/api/health", "/api/v1/health", "/v1/health", "/livez", "/live", "/ping", "/status", "/"}
	readyPaths   = []string{"/ready", "/readyz", "/health/ready", "/readiness"}
	predictWords = []string{"predict", "invocations", "infer", "score", "classify", "forecast"}
)

func (s *repoInfo) chooseHealth() {
	if r, ok := s.findRoute("GET", healthPaths); ok && s.HealthAt == "" {
		s.Health, s.HealthAt = r.path, fmt.Sprintf("%s:%d", r.file, r.line)
		s.note("deploy.health", r.path, s.HealthAt)
	}
	if s.HealthAt == "" && s.healthSeen != "" {
		s.HealthAt = s.healthSeen
		s.note("deploy.health", s.Health, s.HealthAt)
	}
	if r, ok := s.findRoute("GET", readyPaths); ok {
		s.Ready, s.ReadyAt = r.path, fmt.Sprintf("%s:%d", r.file, r.line)
		s.note("deploy.ready", r.path, s.ReadyAt)
	}
	if s.HealthAt == "" && len(s.routes) > 0 {
		s.lack("no health route found in the server: deploy.health says %s; name a path that returns 200", s.Health)
	}
}

func (s *repoInfo) findRoute(method string, paths []string) (route, bool) {
	for _, p := range paths {
		for _, r := range s.routes {
			if r.method == method && r.path == p {
				return r, true
			}
		}
	}
	return route{}, false
}

// choosePredict takes the route that predicts, with an example of its body.
func (s *repoInfo) choosePredict() {
	rank := func(r route) int {
		points := 0
		if slices.ContainsFunc(predictWords, func(w string) bool { return strings.Contains(r.path, w) }) {
			points += 2
		}
		if !r.list && !strings.Contains(r.path, "batch") {
			points++
		}
		return points
	}
	best := -1
	for i, r := range s.routes {
		if r.method != "POST" {
			continue
		}
		if best < 0 || rank(r) > rank(s.routes[best]) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	r := s.routes[best]
	s.Predict, s.PredictAt = r.path, fmt.Sprintf("%s:%d", r.file, r.line)
	example := s.exampleOf(r.body, 0)
	if r.list && example != "" {
		example = "[" + example + "]"
	}
	s.PredictBody = example
	s.note("deploy.smoke", "POST "+r.path, s.PredictAt)
}
