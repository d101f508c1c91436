// Package pipeline reads what a CI runs: workflows of GitHub Actions and the file of
// GitLab CI. It finds what a slipway.yaml can take from them, and what is wrong with
// them. Nothing is executed.
package pipeline

import (
	"path"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Kind is the CI that a file is for.
type Kind string

// The kinds.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
)

// Pipeline is a file of a CI.
type Pipeline struct {
	File        string
	Kind        Kind
	On          Triggers
	Env         []Variable // of all jobs
	Permissions *Entry     // of all jobs; nil: not set
	Jobs        []Job

	variables map[string]Variable // by name; nil: not collected yet
}

// Triggers are what starts the pipeline.
type Triggers struct {
	Push          []Entry // branches
	PullRequest   []Entry // base branches
	Tags          []Entry
	PathsIgnore   []Entry
	Schedules     []Entry // cron expressions
	Inputs        []Input // of a start by hand
	OnPush        bool
	OnPullRequest int // line; 0: no
	OnTarget      int // line of pull_request_target; 0: no
}

// Entry is a text and its line.
type Entry struct {
	Text string
	Line int
}

// Input is a question of a start by hand.
type Input struct {
	Name string
	Line int
}

// Variable is a variable of the environment.
type Variable struct {
	Name, Value string
	Line        int
}

// Job is a part of the pipeline that runs on one machine.
type Job struct {
	Name          string
	Line          int
	If            string
	Env           []Variable
	Permissions   *Entry
	Guarded       bool // by an environment, or by rules
	Concurrent    bool // has a concurrency group
	FailureIgnore int  // line of continue-on-error or allow_failure; 0: no
	Image         Entry
	Steps         []Step
}

// Step is an action or a script.
type Step struct {
	Name          string
	Line          int
	If            string
	Uses          Entry
	With          []Variable
	Env           []Variable
	Dir           string
	FailureIgnore int
	Lines         []Entry // of the script, continued ones joined, without comments
}

// Read reads a file. What is neither a workflow nor .gitlab-ci.yml is fault.Invalid.
func Read(file string, data []byte) (*Pipeline, error) {
	base := path.Base(file)
	if ext := path.Ext(base); ext != ".yml" && ext != ".yaml" {
		return nil, fault.New(fault.Invalid, "%s: unknown kind of pipeline", file).
			Hint("name a workflow such as .github/workflows/deploy.yml, or .gitlab-ci.yml")
	}
	tree, err := config.ParseTree(file, data)
	if err != nil {
		return nil, err
	}
	doc := newDocument(tree)
	root := doc.root()
	switch {
	case strings.Contains(base, "gitlab-ci"):
		return readGitLab(file, root)
	case root.get("jobs").isMap():
		return readGitHub(file, root), nil
	}
	return nil, fault.New(fault.Invalid, "%s: no jobs found", file).Location(file + ":1").
		Hint("name a workflow such as .github/workflows/deploy.yml, or .gitlab-ci.yml")
}

// Variable returns the value of a variable: the pipeline's own, or a job's.
func (p *Pipeline) Variable(name string) (Variable, bool) {
	if p.variables == nil {
		p.variables = map[string]Variable{}
		for _, v := range p.allVariables() {
			if _, known := p.variables[v.Name]; !known {
				p.variables[v.Name] = v
			}
		}
	}
	v, ok := p.variables[name]
	return v, ok
}

func (p *Pipeline) allVariables() []Variable {
	all := append([]Variable(nil), p.Env...)
	for _, j := range p.Jobs {
		all = append(all, j.Env...)
		for _, s := range j.Steps {
			all = append(all, s.Env...)
		}
	}
	return all
}

// At returns the place of a line: "FILE:LINE".
func (p *Pipeline) At(line int) string { return p.File + ":" + strconv.Itoa(line) }

// Expand replaces ${{ env.NAME }}, ${NAME} and $NAME by what the pipeline sets. ok is
// false if something remains that only a run of the pipeline has.
func (p *Pipeline) Expand(text string) (expanded string, ok bool) {
	text = envExpression.ReplaceAllStringFunc(text, func(m string) string {
		if v, found := p.Variable(envExpression.FindStringSubmatch(m)[1]); found {
			return v.Value
		}
		return m
	})
	text = shellVariable.ReplaceAllStringFunc(text, func(m string) string {
		if v, found := p.Variable(strings.Trim(m, "${}")); found {
			return v.Value
		}
		return m
	})
	return text, !strings.Contains(text, "${{") && !shellVariable.MatchString(text)
}
