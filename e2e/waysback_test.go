//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestWaysBack: what was rolled back does not come back, by whichever commit,
// environment, configuration or command.
func TestWaysBack(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.edit("main.go", `"no idea"`, `"no clue"`)
	refused := p.commit("word an error anew")
	bad := p.run().wantRun(0, "deployed").report.Release
	p.slipway("rollback", "--env", "prod", "--why", "wrong prices").wantExit(0)
	p.wantDeployed(good)

	p.refuse("the same commit", good)
	p.write("NOTES.txt", "words\n")
	p.commit("a note that source.ignore does not name")
	p.refuse("another commit of the same content", good)
	p.git("revert", "--no-edit", refused)
	p.run().wantRun(0, "skipped") // back at what is deployed
	p.git("revert", "--no-edit", "HEAD")
	p.refuse("the revert of a revert", good)
	p.checkBranches(good, refused)
	p.checkOtherNames(good, bad)
	p.slipway("rollback", "--env", "prod", "--to", bad).wantExit(2).wantText("quarantine", "wrong prices")
	p.wantDeployed(good)
	p.checkEmptyMachine(bad)
	p.checkWaiting(good)
	p.checkPart()
}

// refuse runs, and wants nothing but a refusal.
func (p *project) refuse(way, good string, args ...string) {
	p.t.Helper()
	r := p.run(args...)
	if r.code == 0 || !strings.Contains(r.stdout+r.stderr, "quarantine") {
		p.t.Errorf("%s: exit %d, want a refusal that names the quarantine\n%s", way, r.code, r)
	}
	if st := p.wantDeployed(good); st.Entering != nil {
		p.t.Errorf("%s: Entering = %+v, want nothing", way, st.Entering)
	}
}

// checkBranches brings the change in as a cherry-pick, and squashed.
func (p *project) checkBranches(good, refused string) {
	p.t.Helper()
	root := p.git("rev-list", "--max-parents=0", "HEAD")
	p.git("checkout", "-q", "-b", "picked", root)
	p.git("cherry-pick", refused)
	p.refuse("a cherry-pick on another branch", good)
	p.git("checkout", "-q", "-b", "squashed", root)
	p.git("merge", "-q", "--squash", "main")
	p.commit("everything at once")
	p.refuse("a squash", good)
	p.git("checkout", "-q", "main")
}

// checkOtherNames delivers the content to another environment, with other overrides,
// from another repository of images, and with deploy-only.
func (p *project) checkOtherNames(good, bad string) {
	p.t.Helper()
	if r := p.slipway("run", "--env", "dev", "--json"); r.code == 0 || !strings.Contains(r.stdout, "quarantine") {
		p.t.Errorf("in another environment: exit %d, want a refusal\n%s", r.code, r)
	}
	p.edit("slipway.yaml", "dev: {on: {push: develop}, target: {local: {}}}", "dev: {on: {push: develop}, target: {local: {}}, deploy: {env: {LEVEL: debug}, replicas: 1}}")
	p.commit("overrides")
	if r := p.slipway("run", "--env", "dev", "--json"); r.code == 0 || !strings.Contains(r.stdout, "quarantine") {
		p.t.Errorf("with other overrides: exit %d, want a refusal\n%s", r.code, r)
	}
	p.edit("slipway.yaml", "repository: tiny", "repository: elsewhere/tiny")
	p.commit("another repository")
	p.refuse("the same image elsewhere", good)
	p.edit("slipway.yaml", "repository: elsewhere/tiny", "repository: tiny")
	p.commit("the repository of before")
	r := p.slipway("run", "--env", "dev", "--deploy-only", "--json").wantRun(0, "deployed")
	if r.report.Release != good {
		p.t.Errorf("--deploy-only deployed %s, want %s and never %s", r.report.Release, good, bad)
	}
	st := p.wantDeployedIn("dev", good)
	if len(st.Replicas) != 1 || !strings.HasPrefix(st.Replicas[0].Release, good+"-") {
		p.t.Errorf("replicas = %+v, want one, of %s with the overrides of dev", st.Replicas, good)
	}
	p.slipway("down", "--env", "dev").wantExit(0)
}

// checkEmptyMachine makes the release on a machine that has nothing but a shallow
// clone: it has the name that the quarantine is about.
func (p *project) checkEmptyMachine(bad string) {
	p.t.Helper()
	other := newProject(p.t)
	other.git("clone", "-q", "--depth=1", "file://"+p.dir, other.dir)
	r := other.slipway("run", "--env", "dev", "--json").wantRun(0, "deployed")
	if r.report.Release != bad {
		p.t.Errorf("on an empty machine the content is %s, want %s\n%s", r.report.Release, bad, r)
	}
	if filepath.Clean(other.dir) == filepath.Clean(p.dir) {
		p.t.Fatal("the other machine is this one")
	}
}

// checkWaiting lets a run wait for approval while its content is rolled back
// elsewhere.
func (p *project) checkWaiting(good string) {
	p.t.Helper()
	p.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, approvals: 1")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "waiting"`)
	p.edit("main.go", `"no clue"`, `"no idea"`)
	p.commit("content that a person decides on")
	run := p.run().wantRun(4, "waiting").report.Run
	p.slipway("run", "--env", "dev", "--deploy-only").wantExit(0)
	held := p.slipway("run", "--env", "dev", "--json").wantRun(0, "deployed").report.Release
	p.slipway("rollback", "--env", "dev", "--why", "it leaks").wantExit(0)
	r := p.slipway("approve", run, "--why", "I was not told", "--json")
	if !strings.Contains(r.stdout+r.stderr, "quarantine") {
		p.t.Errorf("approving run %s of %s: exit %d, want a refusal\n%s", run, held, r.code, r)
	}
	p.wantDeployed(good)
}

// checkPart quarantines a model version, and with it every release that has it.
func (p *project) checkPart() {
	p.t.Helper()
	p.slipway("releases", "quarantine", "--model", "tiny-models:1", "--why", "wrong labels").wantExit(0)
	p.edit("slipway.yaml", `ROUND: "waiting"`, `ROUND: "with the same model"`)
	p.commit("another configuration")
	if r := p.slipway("run", "--env", "dev", "--json"); r.code == 0 || !strings.Contains(r.stdout, "wrong labels") {
		p.t.Errorf("another release with the quarantined model: exit %d, want a refusal\n%s", r.code, r)
	}
}
