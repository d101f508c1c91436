package pipeline

import (
	"cmp"
	"slices"
)

// Flaw is a mistake of a pipeline.
type Flaw struct {
	Rule    string `json:"rule"`
	At      string `json:"at"`      // FILE:LINE
	What    string `json:"what"`    // what happens because of it
	Instead string `json:"instead"` // what Slipway does, or what to do

	line int
}

// rule finds one kind of mistake.
type rule func(p *Pipeline, report func(line int, what string))

// Flaws are the mistakes of the pipeline, in the order of its lines.
func (p *Pipeline) Flaws() []Flaw {
	var out []Flaw
	for _, r := range rules() {
		r.find(p, func(line int, what string) {
			out = append(out, Flaw{Rule: r.name, At: p.At(line), What: what, Instead: r.instead, line: line})
		})
	}
	slices.SortStableFunc(out, func(a, b Flaw) int { return cmp.Or(a.line-b.line, cmp.Compare(a.Rule, b.Rule)) })
	return out
}

// namedRule is a rule with what to do instead.
type namedRule struct {
	name, instead string
	find          rule
}

func rules() []namedRule {
	return []namedRule{
		{"swallowed-failure", "an exit code is never swallowed, and a test command that ran no tests fails", findSwallowed},
		{"scan-cannot-fail", "scan: {fail_on: [HIGH, CRITICAL]} stops the image before it is pushed", findToothlessScans},
		{"mutable-tag", "everything after the build names the image by its digest", findMutableTags},
		{"two-rollouts", "one deploy of one release: image, model and configuration together", findTwoRollouts},
		{"one-request", "several responses in a row, each proved to come from the new release", findSingleRequests},
		{"partial-rollback", "a rollback restores image, model and configuration, and quarantines what failed", findUndo},
		{"ungated-retraining", "model.evaluate.gates decide, and a missing metric passes no gate", findUngatedTraining},
		{"unguarded-deploy", "environments.X.on names the branches that an environment takes, and pull requests deploy nothing", findUnguardedDeploys},
		{"concurrent-deploys", "runs of one environment queue in order", findConcurrentDeploys},
		{"unread-input", "slipway run has --env, --retrain, --model, --deploy-only and --until", findUnreadInputs},
		{"secret-in-environment", "name it where it is needed: deploy.env, test[].env and notify take ${NAME}", findExposedSecrets},
		{"broad-permissions", "give each job the least: permissions: {} for the workflow, and id-token: write for the job that deploys", findBroadPermissions},
		{"unpinned-action", "pin it by its commit: uses: owner/action@SHA # version", findUnpinnedActions},
		{"untrusted-checkout", "run what a pull request contains only on: pull_request, which gets no secrets", findUntrustedCheckouts},
		{"script-injection", "pass it as an environment variable, and quote that", findInjections},
	}
}

// steps calls do for every step.
func (p *Pipeline) steps(do func(j Job, s Step)) {
	for _, j := range p.Jobs {
		for _, s := range j.Steps {
			do(j, s)
		}
	}
}
