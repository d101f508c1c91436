package pipeline

import (
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// gitlabSections are the keys of .gitlab-ci.yml that are no jobs.
var gitlabSections = []string{"stages", "variables", "default", "workflow", "include", "image", "services", "cache", "before_script", "after_script", "spec", "pages"}

func readGitLab(file string, root node) (*Pipeline, error) {
	p := &Pipeline{File: file, Kind: GitLab, Env: root.get("variables").variables()}
	p.On.OnPush = true
	before := firstOf(root.get("before_script"), root.get("default", "before_script"))
	image := firstOf(root.get("image"), root.get("default", "image"))
	for _, f := range root.fields() {
		if slices.Contains(gitlabSections, f.name) || strings.HasPrefix(f.name, ".") || !f.value.isMap() || !f.value.get("script").exists() {
			continue
		}
		p.Jobs = append(p.Jobs, readGitLabJob(f, before, image))
	}
	if len(p.Jobs) == 0 {
		return nil, fault.New(fault.Invalid, "%s: no jobs with a script found", file).Hint("jobs that are included from other files are not read")
	}
	return p, nil
}

func firstOf(nodes ...node) node {
	for _, n := range nodes {
		if n.exists() {
			return n
		}
	}
	return node{}
}

func readGitLabJob(f field, before, image node) Job {
	n := f.value
	j := Job{
		Name: f.name, Line: n.line(), Env: n.get("variables").variables(),
		Guarded: n.get("rules").exists() || n.get("only").exists() || n.get("environment").exists(), Concurrent: n.get("resource_group").exists(),
	}
	if c := n.get("allow_failure"); c.text() == "true" {
		j.FailureIgnore = c.line()
	}
	if i := firstOf(n.get("image"), image); i.exists() {
		j.Image = Entry{i.text(), i.line()}
		if name := i.get("name"); name.exists() {
			j.Image = Entry{name.text(), name.line()}
		}
	}
	s := Step{Name: f.name, Line: j.Line}
	for _, script := range []node{firstOf(n.get("before_script"), before), n.get("script")} {
		for _, item := range script.items() {
			s.Lines = append(s.Lines, item.script()...)
		}
	}
	j.Steps = []Step{s}
	return j
}
