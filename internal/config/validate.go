package config

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// The forms of names. They become image names, job names and file names.
const (
	nameForm       = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	stepForm       = `^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`
	groupForm      = `^[a-z0-9]+([._-][a-z0-9]+)*$`
	repositoryForm = `^([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$`
	variableName   = `^[A-Za-z_][A-Za-z0-9_]*$`
	httpPathForm   = `^/[^\s]*$`
	longestName    = 128
)

func matches(form, text string) bool {
	return len(text) <= longestName && regexp.MustCompile(form).MatchString(text)
}

// check holds what the types can't: names, patterns, expressions, and what
// belongs together.
func (d *decoder) check(p *Project, env func(string) (string, bool)) {
	d.form("service", p.Service, nameForm, "lower-case letters, digits and dashes, at most 63")
	d.globs("source.ignore", p.Source.Ignore)
	d.tests(p.Test)
	d.image(p.Image)
	d.scan(p)
	if p.Model != nil {
		d.model(p.Model, env)
	}
	d.deploy(p.Deploy)
	d.environments(p.Environments, p.Image.Repository)
	d.cluster(p)
	d.sign(p.Sign)
	for i, n := range p.Notify {
		d.notify(fmt.Sprintf("notify[%d]", i), n)
	}
}

func (d *decoder) form(at, text, form, hint string) {
	if !matches(form, text) {
		d.fail(at, hint, "%s: %q is not possible", at, text)
	}
}

func (d *decoder) tests(tests []Test) {
	lines := map[string]int{}
	for i, t := range tests {
		at := fmt.Sprintf("test[%d]", i)
		d.form(at+".name", t.Name, stepForm, "lower-case letters, digits, dashes and underscores")
		if line, twice := lines[t.Name]; twice {
			d.fail(at+".name", fmt.Sprintf("the first is in line %d", line), "%s.name: there are two tests named %q", at, t.Name)
		}
		lines[t.Name] = d.find(at + ".name").line
		known := []string{}
		if t.Report == step.JUnit || t.Report == step.Ruff {
			known = append(known, "Report")
		}
		used := d.command(at+".run", t.Run, known)
		if t.Report == step.JUnit && !used["Report"] {
			d.fail(at+".run", "write the report to {{.Report}}, such as --junitxml={{.Report}}", "%s.run: nothing writes the junit report", at)
		}
		d.folder(at+".dir", t.Dir)
		d.variables(at+".env", t.Env, fromEnvironment)
		d.globs(at+".inputs", t.Inputs)
		d.python(at+".python", t.Python)
	}
}

func (d *decoder) model(m *Model, env func(string) (string, bool)) {
	d.form("model.group", m.Group, groupForm, "lower-case letters and digits, with single dots, dashes or underscores between")
	for i, text := range m.Data {
		at := fmt.Sprintf("model.data[%d]", i)
		full, err := expand(text, env)
		switch {
		case err != nil:
			d.fail(at, "set it, or give it a default: ${NAME:-data.csv}", "%s: %v", at, err)
		case strings.TrimSpace(full) == "":
			d.fail(at, "name a file or folder", "%s is empty", at)
		}
		m.Data[i] = full
	}
	var data []string
	if len(m.Data) > 0 {
		data = []string{"Data"}
	}
	if m.Train != nil {
		d.command("model.train.run", m.Train.Run, append([]string{"Output"}, data...))
		d.variables("model.train.env", m.Train.Env, fromEnvironment)
		d.globs("model.train.inputs", m.Train.Inputs)
		d.python("model.train.python", m.Train.Python)
	}
	if e := m.Evaluate; e != nil {
		d.command("model.evaluate.run", e.Run, append([]string{"Model", "Metrics"}, data...))
		d.variables("model.evaluate.env", e.Env, fromEnvironment)
		d.globs("model.evaluate.inputs", e.Inputs)
		d.python("model.evaluate.python", e.Python)
		d.gates("model.evaluate.gates", e.Gates)
	}
	switch {
	case m.Train != nil && m.Evaluate == nil:
		d.fail("model.train", "add model.evaluate with at least one gate", "model.train: nothing evaluates what it trains")
	case m.Train == nil && m.Evaluate != nil:
		d.fail("model.evaluate", "add model.train, or remove model.evaluate to deliver the newest approved version", "model.evaluate: nothing trains what it evaluates")
	case m.Train == nil && len(m.Data) > 0:
		d.fail("model.data", "remove it, or add model.train", "model.data: nothing reads it")
	}
}

func (d *decoder) deploy(p Deploy) {
	d.variables("deploy.env", p.Env, literal)
	d.httpPath("deploy.health", p.Health)
	d.httpPath("deploy.ready", p.Ready)
	lines := map[string]int{}
	for i, s := range p.Smoke {
		at := fmt.Sprintf("deploy.smoke[%d]", i)
		if line, twice := lines[s.Name]; twice {
			d.fail(at+".name", fmt.Sprintf("the first is in line %d", line), "%s.name: there are two checks named %q", at, s.Name)
		}
		lines[s.Name] = d.find(at + ".name").line
		d.smoke(at, s)
	}
}

func (d *decoder) smoke(at string, s Smoke) {
	if strings.TrimSpace(s.Name) == "" {
		d.fail(at+".name", "", "%s.name is empty", at)
	}
	asked := 0
	for key, p := range map[string]string{"get": s.Get, "post": s.Post, "put": s.Put} {
		if _, there := d.places[at+"."+key]; there {
			asked++
			d.httpPath(at+"."+key, p)
		}
	}
	if asked != 1 {
		d.fail(at, "one of get, post, put, such as post: /predict", "%s: it has to say what to ask, once", at)
	}
	if _, body := d.places[at+".json"]; body && s.Get != "" {
		d.fail(at+".json", "ask with post or put, or remove the body", "%s.json: get has no body", at)
	}
	d.checks(at+".expect", s.Expect)
}

func (d *decoder) environments(all map[delivery.Environment]Environment, repository string) {
	for _, name := range (Project{Environments: all}).EnvironmentNames() {
		e, at := all[delivery.Environment(name)], "environments."+name
		d.form(at, name, nameForm, "lower-case letters, digits and dashes")
		d.branches(at+".on.push", e.On.Push)
		d.branches(at+".on.pull_request", e.On.PullRequest)
		d.target(at+".target", e.Target, repository)
		d.trust(at+".trust", e.Trust)
	}
}

func (d *decoder) branches(at string, names StringList) {
	for i, n := range names {
		if strings.TrimSpace(n) == "" || badGlob(n) != "" {
			d.fail(fmt.Sprintf("%s[%d]", at, i), "a name such as main, or a glob such as release/*", "%s: %q is neither a branch nor a glob", at, n)
		}
	}
}

func (d *decoder) notify(at string, n Notify) {
	if n.Webhook.IsSet() == n.Chat.IsSet() {
		d.fail(at, "either webhook or chat", "%s: it has to say whom, once", at)
		return
	}
	if n.Secret.IsSet() && n.Chat.IsSet() {
		d.fail(at+".secret", "remove it", "%s.secret: a chat message is not signed", at)
	}
	d.secret(at+".chat", n.Chat)
	d.secret(at+".secret", n.Secret)
	if !strings.Contains(string(n.Webhook), "${") && n.Webhook.IsSet() {
		u, err := url.Parse(string(n.Webhook))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			d.fail(at+".webhook", "such as https://hooks.example.com/slipway or ${HOOK_URL}", "%s.webhook: it is no http address", at)
		} else if u.User != nil || u.RawQuery != "" {
			d.fail(at+".webhook", "put the address into an environment variable and write ${NAME}", "%s.webhook: a secret in the file", at)
		}
		return
	}
	d.secret(at+".webhook", n.Webhook)
}

// secret never repeats what it complains about.
func (d *decoder) secret(at string, s Secret) {
	if s.IsSet() && !wholeReference(string(s)) {
		d.fail(at, "put it into an environment variable and write ${NAME}", "%s: a secret is never written into the file", at)
	}
}

// references tells whether every ${ in a text begins a ${NAME}.
func references(text string) bool {
	for _, m := range referenceForm.FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(m[0], "}") || !matches(variableName, m[1]) {
			return false
		}
	}
	return true
}

func wholeReference(text string) bool {
	m := referenceForm.FindStringSubmatch(text)
	return m != nil && m[0] == text && strings.HasSuffix(text, "}") && matches(variableName, m[1])
}

func (d *decoder) httpPath(at, p string) {
	if _, there := d.places[at]; there && !matches(httpPathForm, p) {
		d.fail(at, "a path that starts with a slash, such as /health", "%s: %q is no path", at, p)
	}
}

func (d *decoder) folder(at, dir string) {
	if path.IsAbs(dir) || escapes(dir) {
		d.fail(at, "a folder below the one of this file", "%s: %q is outside of the repository", at, dir)
	}
}

func escapes(p string) bool {
	clean := path.Clean(p)
	return clean == ".." || strings.HasPrefix(clean, "../")
}

func (d *decoder) globs(at string, globs []string) {
	for i, g := range globs {
		here := fmt.Sprintf("%s[%d]", at, i)
		if why := badGlob(g); why != "" {
			d.fail(here, "such as docs/**, **/*.md or {go.mod,go.sum}", "%s: %q %s", here, g, why)
		}
	}
}

// valueRule says what may stand in an environment variable.
type valueRule int

const (
	literal         valueRule = iota // as written
	fromEnvironment                  // with ${NAME} in it
)

func (d *decoder) variables(at string, env map[string]string, r valueRule) {
	var keys []string
	for k := range env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		here, v := at+"."+k, env[k]
		switch {
		case !matches(variableName, k):
			d.fail(here, "letters, digits and underscores", "%s: %q is no name of a variable", at, k)
		case strings.ContainsRune(v, 0):
			d.fail(here, "", "%s holds a zero byte", here)
		case !strings.Contains(v, "${"):
		case r == literal:
			d.fail(here, "write the value itself; secrets can't be here, it is recorded", "%s: ${...} is not filled in here", here)
		case !references(v):
			d.fail(here, "give it as ${NAME}; there are no defaults here", "%s: ${...} has to name a variable", here)
		}
	}
}

// choosable lists template fields for hints.
func choosable(known []string) string {
	if len(known) == 0 {
		return `there is none here; write {{"{{"}} for plain braces`
	}
	var out []string
	for _, k := range known {
		out = append(out, "{{."+k+"}}")
	}
	return "there is: " + fault.Enumerate(out) + `; write {{"{{"}} for plain braces`
}
