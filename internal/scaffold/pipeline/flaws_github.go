package pipeline

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	secretReference = regexp.MustCompile(`\$\{\{\s*secrets\.([A-Za-z0-9_]+)\s*\}\}`)
	secretName      = regexp.MustCompile(`(?i)(secret|password|passwd|token|api_?key|access_key)`)
	readInput       = regexp.MustCompile(`inputs\.([A-Za-z0-9_-]+)|inputs\[['"]([A-Za-z0-9_-]+)['"]\]`)
	injection       = regexp.MustCompile(`\$\{\{\s*(github\.head_ref|github\.event\.(?:issue|pull_request|comment|review|head_commit)[\w.]*\.(?:title|body|message|ref|label)|(?:github\.event\.)?inputs\.[\w-]+)\s*\}\}`)
	headCheckout    = regexp.MustCompile(`github\.event\.pull_request\.head|github\.head_ref`)
)

func findUnguardedDeploys(p *Pipeline, report func(int, string)) {
	for _, j := range p.Jobs {
		if !deploys(j) || j.Guarded || strings.Contains(j.If, "github.ref") || strings.Contains(j.If, "github.event") || strings.Contains(j.If, "inputs.") {
			continue
		}
		var what []string
		if p.On.OnPullRequest > 0 && p.Kind == GitHub {
			what = append(what, "pull requests")
		}
		if len(p.On.Push) > 1 {
			var names []string
			for _, b := range p.On.Push {
				names = append(names, b.Text)
			}
			what = append(what, "pushes to "+strings.Join(names, " and "))
		}
		if len(what) > 0 {
			report(j.Line, fmt.Sprintf("job %s has neither `if` nor `environment`: %s all deploy to the same place", j.Name, strings.Join(what, " and ")))
		}
	}
}

func findConcurrentDeploys(p *Pipeline, report func(int, string)) {
	for _, j := range p.Jobs {
		if deploys(j) && !j.Concurrent {
			report(j.Line, fmt.Sprintf("job %s has no concurrency group: two pushes deploy at the same time, and the older one may end last", j.Name))
		}
	}
}

func findUnreadInputs(p *Pipeline, report func(int, string)) {
	read := map[string]bool{}
	note := func(texts ...string) {
		for _, t := range texts {
			for _, m := range readInput.FindAllStringSubmatch(t, -1) {
				read[m[1]+m[2]] = true
			}
		}
	}
	for _, v := range p.allVariables() {
		note(v.Value)
	}
	for _, j := range p.Jobs {
		note(j.If)
		for _, s := range j.Steps {
			note(s.If)
			for _, v := range s.With {
				note(v.Value)
			}
			for _, l := range s.Lines {
				note(l.Text)
			}
		}
	}
	for _, in := range p.On.Inputs {
		if !read[in.Name] {
			report(in.Line, fmt.Sprintf("input %s is asked for, and nothing reads it", in.Name))
		}
	}
}

func findExposedSecrets(p *Pipeline, report func(int, string)) {
	check := func(scope string, all []Variable) {
		for _, v := range all {
			switch m := secretReference.FindStringSubmatch(v.Value); {
			case m != nil:
				report(v.Line, fmt.Sprintf("secret %s is in the environment of every step of %s, other people's actions included", m[1], scope))
			case secretName.MatchString(v.Name) && len(v.Value) >= 8 && !strings.Contains(v.Value, "$"):
				report(v.Line, fmt.Sprintf("%s is written in the file", v.Name))
			}
		}
	}
	check("the pipeline", p.Env)
	for _, j := range p.Jobs {
		check("job "+j.Name, j.Env)
		for _, s := range j.Steps {
			if v, ok := s.Parameter("aws-secret-access-key"); ok {
				report(v.Line, "a static AWS key that never expires: OIDC (role-to-assume) needs none")
			}
		}
	}
}

func findBroadPermissions(p *Pipeline, report func(int, string)) {
	if p.Kind != GitHub {
		return
	}
	if p.Permissions == nil {
		if i := slices.IndexFunc(p.Jobs, func(j Job) bool { return j.Permissions == nil }); i >= 0 {
			report(p.Jobs[i].Line, fmt.Sprintf("job %s has the token's default permissions, which may write to the repository: neither it nor the workflow has `permissions`", p.Jobs[i].Name))
		}
		return
	}
	switch text := p.Permissions.Text; {
	case text == "write-all":
		report(p.Permissions.Line, "every job may write everything")
	case strings.Contains(text, "id-token: write") && len(p.Jobs) > 1:
		report(p.Permissions.Line, "id-token: write is given to every job: the tests of a pull request can take the cloud role, too")
	}
}

func findUnpinnedActions(p *Pipeline, report func(int, string)) {
	lines := map[string][]int{}
	var order []string
	p.steps(func(_ Job, s Step) {
		uses := s.Uses.Text
		_, ref, ok := strings.Cut(uses, "@")
		if uses == "" || strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, "docker://") || ok && commitPattern.MatchString(ref) {
			return
		}
		if lines[uses] == nil {
			order = append(order, uses)
		}
		lines[uses] = append(lines[uses], s.Uses.Line)
	})
	for _, uses := range order {
		report(lines[uses][0], fmt.Sprintf("%s is whatever its owner moves the name to%s", uses, alsoLines(lines[uses][1:])))
	}
}

func findUntrustedCheckouts(p *Pipeline, report func(int, string)) {
	if p.On.OnTarget == 0 {
		return
	}
	p.steps(func(_ Job, s Step) {
		if v, ok := s.Parameter("ref"); ok && headCheckout.MatchString(v.Value) {
			report(v.Line, "on: pull_request_target checks out what anybody proposes, with the repository's secrets at hand")
		}
	})
}

func findInjections(p *Pipeline, report func(int, string)) {
	p.steps(func(_ Job, s Step) {
		for _, l := range s.Lines {
			if m := injection.FindStringSubmatch(l.Text); m != nil {
				report(l.Line, fmt.Sprintf("%s becomes part of the script: its author can run commands", m[1]))
			}
		}
	})
}
