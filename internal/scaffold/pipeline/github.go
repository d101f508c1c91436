package pipeline

import "strings"

func readGitHub(file string, root node) *Pipeline {
	p := &Pipeline{File: file, Kind: GitHub, Env: root.get("env").variables(), Permissions: permissionsOf(root)}
	p.readTriggers(root.get("on"))
	guarded := root.get("concurrency").exists()
	for _, f := range root.get("jobs").fields() {
		j := readJob(f)
		j.Concurrent = j.Concurrent || guarded
		p.Jobs = append(p.Jobs, j)
	}
	return p
}

func (p *Pipeline) readTriggers(on node) {
	names := map[string]node{}
	for _, e := range on.items() {
		if !e.isMap() {
			names[e.text()] = e
		}
	}
	for _, f := range on.fields() {
		names[f.name] = f.value
	}
	push, hasPush := names["push"]
	pull, hasPull := names["pull_request"]
	t := &p.On
	t.OnPush = hasPush
	t.Push = push.get("branches").entries()
	t.PathsIgnore = push.get("paths-ignore").entries()
	t.Tags = push.get("tags").entries()
	for _, item := range names["schedule"].items() {
		if cron := item.get("cron"); cron.exists() {
			t.Schedules = append(t.Schedules, Entry{cron.text(), cron.line()})
		}
	}
	if hasPull {
		t.OnPullRequest, t.PullRequest = pull.line(), pull.get("branches").entries()
		if len(t.PathsIgnore) == 0 {
			t.PathsIgnore = pull.get("paths-ignore").entries()
		}
	}
	if target, ok := names["pull_request_target"]; ok {
		t.OnTarget = target.line()
	}
	for _, f := range names["workflow_dispatch"].get("inputs").fields() {
		t.Inputs = append(t.Inputs, Input{f.name, f.value.line()})
	}
}

// permissionsOf returns the permissions as one text: "contents: read, id-token: write".
func permissionsOf(n node) *Entry {
	value := n.get("permissions")
	if !value.exists() {
		return nil
	}
	var parts []string
	for _, v := range value.variables() {
		parts = append(parts, v.Name+": "+v.Value)
	}
	if t := value.text(); t != "" {
		parts = append(parts, t)
	}
	return &Entry{strings.Join(parts, ", "), value.line()}
}

func readJob(f field) Job {
	n := f.value
	j := Job{
		Name: f.name, Line: n.line(), If: n.get("if").text(), Env: n.get("env").variables(), Permissions: permissionsOf(n),
		Guarded: n.get("environment").exists(), Concurrent: n.get("concurrency").exists(),
	}
	if c := n.get("continue-on-error"); c.text() == "true" {
		j.FailureIgnore = c.line()
	}
	dir := n.get("defaults", "run", "working-directory").text()
	for _, item := range n.get("steps").items() {
		s := Step{
			Name: item.get("name").text(), Line: item.line(), If: item.get("if").text(), With: item.get("with").variables(),
			Env: item.get("env").variables(), Dir: dir, Lines: item.get("run").script(),
		}
		if uses := item.get("uses"); uses.exists() {
			s.Uses = Entry{uses.text(), uses.line()}
		}
		if own := item.get("working-directory").text(); own != "" {
			s.Dir = own
		}
		if c := item.get("continue-on-error"); c.text() == "true" {
			s.FailureIgnore = c.line()
		}
		j.Steps = append(j.Steps, s)
	}
	return j
}

// Parameter returns an input of the step's action.
func (s Step) Parameter(name string) (Variable, bool) {
	for _, v := range s.With {
		if v.Name == name {
			return v, true
		}
	}
	return Variable{}, false
}
