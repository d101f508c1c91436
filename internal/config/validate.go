package config

import (
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// Patterns of names. They become image names, job names and file names.
const (
	groupPattern        = `^[a-z0-9]+([._-][a-z0-9]+)*$`
	repositoryPattern   = `^([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$`
	variableNamePattern = `^[A-Za-z_][A-Za-z0-9_]*$`
	httpPathPattern     = `^/[^\s]*$`
	arnStart            = `^arn:`
)

// How long names, and what AWS calls its resources (ARNs), may be in characters: for ARNs
// IAM's own limit.
const (
	maxNameLength = 128
	maxARNLength  = 2048
)

func matches(form, text string) bool {
	limit := maxNameLength
	if strings.HasPrefix(form, arnStart) {
		limit = maxARNLength
	}
	return len(text) <= limit && regexp.MustCompile(form).MatchString(text)
}

// validate checks what the types can't express: names, patterns, expressions, and
// combinations.
func (d *decoder) validate(p *Project, env func(string) (string, bool)) {
	d.matchPattern("service", p.Service, delivery.LabelPattern, "lower-case letters, digits and dashes, at most 63")
	d.validateAlso(p.Source.Also)
	d.validateGlobs("source.ignore", p.Source.Ignore)
	d.validateState(&p.State, env)
	d.validateTests(p.Test)
	d.validateImage(p.Image)
	d.validateScan(p)
	if p.Model != nil {
		d.validateModel(p.Model, env)
	}
	d.validateDeploy(p.Deploy)
	d.validateEnvironments(p)
	d.validateManifests(p.Deploy)
	d.validateCanary(p.Deploy)
	d.reportUnchosen()
	d.validateAbilities(p)
	d.validateSign(p.Sign)
	d.validateAWS()
	for _, s := range d.sections {
		if s.section.Check != nil {
			s.section.Check(s.value, sectionChecker{d, s.path, p.repositoryAt(s.path)})
		}
	}
}

// repositoryAt returns the repository of images for a section at that path of the file.
func (p *Project) repositoryAt(path string) string {
	rest, _ := strings.CutPrefix(path, "environments.")
	name, _, _ := strings.Cut(rest, ".")
	return p.In(delivery.Environment(name)).Image.Repository
}

func (d *decoder) matchPattern(at, text, form, hint string) {
	if !matches(form, text) {
		d.addError(at, hint, "%s: invalid value %q", at, text)
	}
}

func (d *decoder) validateTests(tests []Test) {
	lines := map[string]int{}
	for i, t := range tests {
		at := fmt.Sprintf("test[%d]", i)
		d.matchPattern(at+".name", t.Name, delivery.TestNamePattern, "lower-case letters, digits, dashes and underscores")
		if line, twice := lines[t.Name]; twice {
			d.addError(at+".name", fmt.Sprintf("the first one is on line %d", line), "%s.name: duplicate test name %q", at, t.Name)
		}
		lines[t.Name] = d.positionOf(at + ".name").line
		known := []string{}
		if t.Report == step.JUnit || t.Report == step.Ruff {
			known = append(known, "Report")
		}
		used := d.validateCommand(at+".run", t.Run, known)
		if t.Report == step.JUnit && !used["Report"] {
			d.addError(at+".run", "write the report to {{.Report}}, such as --junitxml={{.Report}}", "%s.run: the command does not write the junit report", at)
		}
		d.validatePath(at+".dir", t.Dir)
		d.validateVariables(at+".env", t.Env, referencesAllowed)
		d.validateGlobs(at+".inputs", t.Inputs)
		d.validatePython(at+".python", t.Python)
	}
}

func (d *decoder) validateModel(m *Model, env func(string) (string, bool)) {
	d.matchPattern("model.group", m.Group, groupPattern, "lower-case letters and digits, with single dots, dashes or underscores between")
	d.validateData(m, env)
	data := dataFields(*m)
	if m.Train != nil {
		d.validateCommand("model.train.run", m.Train.Run, append([]string{"Output"}, data...))
		d.validatePath("model.train.dir", m.Train.Dir)
		d.validateVariables("model.train.env", m.Train.Env, referencesAllowed)
		d.validateGlobs("model.train.inputs", m.Train.Inputs)
		d.validatePython("model.train.python", m.Train.Python)
		if m.Train.isRemote() && m.Train.Python != nil {
			d.addError("model.train.python", "install the packages in the image, or in the command", "model.train.python: not used with on: %s, where the image brings its own Python", m.Train.On.Kind)
		}
	}
	if m.Evaluate != nil {
		if m.Evaluate.IsRemote() {
			d.validateEvaluationElsewhere(*m.Evaluate)
		}
		d.validateEvaluate(*m.Evaluate, data)
	}
	d.validateBudget(m)
	switch {
	case m.Train != nil && m.Evaluate == nil:
		d.addError("model.train", "add model.evaluate, such as evaluate: {from: train} if training writes metrics.json", "model.train: requires model.evaluate")
	case m.Train == nil && m.Evaluate != nil:
		d.addError("model.evaluate", "add model.train, or remove model.evaluate to deliver the newest approved version", "model.evaluate: requires model.train")
	case m.Train == nil && len(m.Data) > 0:
		d.addError("model.data", "remove it, or add model.train", "model.data: not used without model.train")
	}
}

// validateEvaluationElsewhere refuses what an evaluation on other machines has no use for.
func (d *decoder) validateEvaluationElsewhere(e Evaluate) {
	if e.Python != nil {
		d.addError("model.evaluate.python", "install the packages in the image, or in the command", "model.evaluate.python: not used with on: %s, where the image brings its own Python", e.On.Kind)
	}
	if r, err := d.kinds.JobRunner(e.On.Kind); err == nil {
		d.rejectKeys("model.evaluate.on."+string(e.On.Kind), r.TrainingOnly, "only used by training")
	}
}

// validateEvaluate checks the evaluation: a command, or the metrics of training.
func (d *decoder) validateEvaluate(e Evaluate, data []string) {
	const at = "model.evaluate"
	d.validateGates(at+".gates", e.Gates)
	if e.From == "" {
		if d.isSet(at + ".run") {
			d.validateCommand(at+".run", e.Run, append([]string{"Model", "Metrics"}, data...))
		}
		d.validatePath(at+".dir", e.Dir)
		d.validateVariables(at+".env", e.Env, referencesAllowed)
		d.validateGlobs(at+".inputs", e.Inputs)
		d.validatePython(at+".python", e.Python)
		d.rejectKeys(at, []string{"metrics"}, "only used with from: the command writes its metrics to {{.Metrics}}")
		return
	}
	d.rejectKeys(at, []string{"run", "dir", "env", "inputs", "on", "timeout", "python"}, "not used with from: no command runs")
	if path.IsAbs(e.Metrics) || leavesRoot(e.Metrics) {
		d.addError(at+".metrics", "name a file that training writes below {{.Output}}", "%s.metrics: %q is outside the output folder", at, e.Metrics)
	}
}

// dataFields are the fields for data that the model's commands may use.
func dataFields(m Model) []string {
	if len(m.Data) == 0 {
		return nil
	}
	return []string{"Data"}
}

func (d *decoder) validateDeploy(p Deploy) {
	d.validateVariables("deploy.env", p.Env, referencesAllowed)
	d.validateHTTPPath("deploy.health", p.Health)
	d.validateHTTPPath("deploy.ready", p.Ready)
	d.validateSmokes("deploy.smoke", p.Smoke)
}

// validateSecret never repeats the value in its message.
func (d *decoder) validateSecret(at string, s Secret) {
	if s.IsSet() && !s.IsReference() {
		d.addError(at, "store it in an environment variable and reference it as ${NAME}", "%s: secrets must not be written in the file", at)
	}
}

func (d *decoder) validateHTTPPath(at, p string) {
	if _, there := d.positions[at]; there && !matches(httpPathPattern, p) {
		d.addError(at, "use a path that starts with a slash, such as /health", "%s: %q is not a valid URL path", at, p)
	}
}

func (d *decoder) validatePath(at, dir string) {
	if path.IsAbs(dir) || leavesRoot(dir) {
		d.addError(at, "use a path below the folder of this file", "%s: %q is outside the repository", at, dir)
	}
}

func leavesRoot(p string) bool {
	clean := path.Clean(p)
	return clean == ".." || strings.HasPrefix(clean, "../")
}

// validateAlso checks globs of files beside the service's folder.
func (d *decoder) validateAlso(globs []string) {
	for i, g := range globs {
		here := fmt.Sprintf("source.also[%d]", i)
		inner := g
		for strings.HasPrefix(inner, "../") {
			inner = strings.TrimPrefix(inner, "../")
		}
		why := globProblem(inner)
		if inner == g {
			why = "is not beside this folder: files in it belong to the service anyway"
		}
		if why != "" {
			d.addError(here, "such as ../lib/**", "%s: %q %s", here, g, why)
		}
	}
}

func (d *decoder) validateGlobs(at string, globs []string) {
	for i, g := range globs {
		here := fmt.Sprintf("%s[%d]", at, i)
		inner := g
		for len(d.project.Source.Also) > 0 && strings.HasPrefix(inner, "../") {
			inner = strings.TrimPrefix(inner, "../")
		}
		if why := globProblem(inner); why != "" {
			hint := "such as docs/**, **/*.md or {go.mod,go.sum}"
			if strings.HasPrefix(inner, "../") {
				hint = "files beside this folder belong to the service only with source.also"
			}
			d.addError(here, hint, "%s: %q %s", here, g, why)
		}
	}
}

// referenceRule is whether the value of a variable may refer to the environment.
type referenceRule int

const (
	literalOnly       referenceRule = iota // as written
	referencesAllowed                      // with ${NAME} in it
)

func (d *decoder) validateVariables(at string, env map[string]string, r referenceRule) {
	var keys []string
	for k := range env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		here, v := at+"."+k, env[k]
		switch {
		case !matches(variableNamePattern, k):
			d.addError(here, "letters, digits and underscores", "%s: %q is not a valid variable name", at, k)
		case strings.ContainsRune(v, 0):
			d.addError(here, "", "%s contains a NUL byte", here)
		case !strings.Contains(v, "${"):
		case r == literalOnly:
			d.addError(here, "write the literal value; it is recorded, so it must not be a secret", "%s: ${...} is not expanded here", here)
		case !extension.OnlyReferences(v):
			d.addError(here, "write it as ${NAME}; defaults are not supported here", "%s: ${...} must name a variable", here)
		}
	}
}

// fieldsHint lists template fields.
func fieldsHint(known []string) string {
	if len(known) == 0 {
		return `no fields are available here; write {{"{{"}} for literal braces`
	}
	var out []string
	for _, k := range known {
		out = append(out, "{{."+k+"}}")
	}
	return "available: " + fault.Enumerate(out) + `; write {{"{{"}} for literal braces`
}
