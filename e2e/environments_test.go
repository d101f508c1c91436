//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// workshopEnvironments choose their stages as the teams of the workshop do: dev
// validates, staging retrains and registers, prod gets what staging accepted.
const workshopEnvironments = `environments:
  dev: {on: {pull_request: main}, until: build}
  staging: {on: {push: develop}, target: {local: {}}, deploy: {replicas: 1}, model: {approve: auto, gates: [accuracy >= 0.85]}}
  prod: {on: {push: main}, from: staging, target: {local: {}}, bake: 300ms}
`

func newWorkshopProject(t *testing.T) *project {
	t.Helper()
	p := newTinyProject(t)
	text := p.read(p.dir + "/slipway.yaml")
	p.write("slipway.yaml", text[:strings.Index(text, "environments:")]+workshopEnvironments)
	p.edit("slipway.yaml", "approve: auto\n", "approve: manual\n")
	p.commit("environments that choose their stages")
	return p
}

// inCI runs a command as a job of a CI does for an event of a branch.
func (p *project) inCI(event, branch string, args ...string) result {
	p.t.Helper()
	before := p.env
	defer func() { p.env = before }()
	p.env = append(slices.Clone(before), "GITHUB_ACTIONS=true", "CI=true", "GITHUB_EVENT_NAME="+event, "GITHUB_REF_NAME="+branch, "GITHUB_BASE_REF=main")
	return p.slipway(args...)
}

func stepNames(r result) []string {
	var names []string
	for _, s := range r.report.Steps {
		names = append(names, s.Name)
	}
	return names
}

// Takes a commit through the environments of the workshop: prod gets the digests that
// staging accepted, and nothing that staging has not.
func TestEnvironments_ChooseTheirStages(t *testing.T) {
	t.Parallel()
	p := newWorkshopProject(t)

	p.checkValidation()
	p.inCI("push", "main", "run", "--json").wantExit(2).wantText("staging has not accepted a release of commit", "it has not accepted any release")
	accepted := p.checkStaging()
	p.checkPromotion(accepted)
	p.checkMerge(accepted)
	p.checkUnaccepted(accepted)
	p.checkDispatch(accepted)
}

// checkValidation runs the checks of a pull request, which deploy nothing.
func (p *project) checkValidation() {
	p.t.Helper()
	p.inCI("pull_request", "7/merge", "run").wantExit(1).wantText("a pull request may not use the variable E2E_TOKEN", "SLIPWAY_POLICY")
	before := p.env
	p.env = append(slices.Clone(before), "SLIPWAY_POLICY="+filepath.Join(p.base, "policy.yaml"))
	p.must(os.WriteFile(filepath.Join(p.base, "policy.yaml"), []byte("version: 1\nsecrets: {pull_request: [E2E_TOKEN]}\n"), 0o600))
	r := p.inCI("pull_request", "7/merge", "run", "--json").wantRun(0, "succeeded")
	p.env = before
	names := stepNames(r)
	slices.Sort(names)
	if r.report.Environment != "dev" || !slices.Equal(names, []string{"build", "test.hello", "test.unit"}) {
		p.t.Errorf("the pull request ran %v in %s, want tests and build in dev", names, r.report.Environment)
	}
	p.slipway("status").wantExit(0).wantText("dev  nothing deployed", "deploys nothing: runs end after build")
	p.slipway("verify", "--env", "dev").wantExit(2).wantText("environment dev deploys nothing")
	if n := len(p.trainingLines()); n != 0 {
		p.t.Errorf("the pull request trained: %q", p.trainingLines())
	}
}

// checkStaging trains, registers and approves a model by staging's own settings, and
// returns what is deployed there.
func (p *project) checkStaging() status {
	p.t.Helper()
	r := p.inCI("push", "develop", "run", "--json").wantRun(0, "deployed")
	if r.report.Environment != "staging" {
		p.t.Fatalf("a push to develop ran in %s", r.report.Environment)
	}
	if m := runJSON[[]modelVersion](p, "models"); len(m) != 1 || m[0].Status != "Approved" {
		p.t.Errorf("models = %+v, want one that staging approved", m)
	}
	st := p.status("staging")
	if st.Release != r.report.Release || st.Health != "healthy" || len(st.Replicas) != 1 || !strings.HasPrefix(st.Replicas[0].Release, st.Release+"-") {
		p.t.Fatalf("status of staging = %+v, want one healthy replica of %s with overrides", st, r.report.Release)
	}
	p.slipway("verify", "--env", "staging").wantExit(0)
	return st
}

// checkPromotion brings the same digests to prod, without a test, build or training.
func (p *project) checkPromotion(accepted status) {
	p.t.Helper()
	trained := len(p.trainingLines())
	r := p.inCI("push", "main", "run", "--json").wantRun(0, "deployed")
	if names := stepNames(r); !slices.Equal(names, []string{"deploy", "verify", "watch"}) {
		p.t.Errorf("the promotion ran %v", names)
	}
	st := p.wantDeployed(accepted.Release)
	if len(st.Replicas) != 2 {
		p.t.Errorf("prod runs %d replicas, want 2: the override is staging's", len(st.Replicas))
	}
	if st.Image.Digest != accepted.Image.Digest || st.Model.Version != accepted.Model.Version || st.Model.Digest != accepted.Model.Digest {
		p.t.Errorf("prod runs %+v with %+v, want %+v with %+v as staging", st.Image, *st.Model, accepted.Image, *accepted.Model)
	}
	if len(p.trainingLines()) != trained {
		p.t.Errorf("the promotion trained: %q", p.trainingLines())
	}
}

// checkMerge promotes for a commit with the same files, and for one that changes only
// ignored files.
func (p *project) checkMerge(accepted status) {
	p.t.Helper()
	p.commit("a merge")
	p.inCI("push", "main", "run", "--json").wantRun(0, "skipped")
	p.wantDeployed(accepted.Release)
	p.write("docs/more.txt", "more")
	p.commit("documents")
	p.inCI("push", "main", "plan").wantExit(0).
		wantText("promote tiny -> prod", "nothing to do: "+accepted.Release+", which staging accepted, is deployed in prod")
}

// checkUnaccepted keeps code out of prod that staging has not accepted.
func (p *project) checkUnaccepted(accepted status) {
	p.t.Helper()
	p.setBehaviour("ok-but-new")
	for _, command := range []string{"plan", "run"} {
		p.inCI("push", "main", command).wantExit(2).
			wantText("staging has not accepted a release of commit "+p.git("rev-parse", "--short=7", "HEAD"), "it accepted "+accepted.Release, "slipway run --env staging")
	}
	p.wantDeployed(accepted.Release)
}

// checkDispatch refuses prod to a feature branch in the CI, but not to a person outside it.
func (p *project) checkDispatch(accepted status) {
	p.t.Helper()
	for _, command := range []string{"plan", "run"} {
		p.inCI("workflow_dispatch", "feature", command, "--env", "prod", "--deploy-only").wantExit(1).
			wantText("environment prod does not accept push to feature from a CI", "on.dispatch: any")
	}
	p.inCI("workflow_dispatch", "main", "plan", "--env", "prod", "--deploy-only").wantExit(0)
	p.slipway("run", "--env", "prod", "--branch", "feature", "--deploy-only", "--json").wantExit(0)
	p.wantDeployed(accepted.Release)
}
