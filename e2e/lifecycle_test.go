//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestLifecycle takes one repository through a good day: every way of delivering.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)

	first := p.run().wantRun(0, "deployed")
	st := p.wantDeployed(first.report.Release)
	if st.By != "tester" || st.Image.Digest == "" || st.Model.Version != 1 || st.Commit != p.git("rev-parse", "HEAD") {
		t.Errorf("status does not name who, what or from where: %+v", st)
	}
	if got := first.step("test.unit").Summary; got == "" {
		t.Error("test.unit counted nothing")
	}
	p.checkUnchanged(first)
	second := p.checkCodeChange(first)
	p.checkRollback(first.report.Release, second.report.Release)
	third := p.checkModelChange()
	p.checkRetrain(third)
	p.checkDeployOnly(third)
	p.checkUntil(third)
	p.checkDocsOnly(third)
}

// checkUnchanged runs again: everything is cached and nothing moves.
func (p *project) checkUnchanged(before result) {
	p.t.Helper()
	again := p.run().wantExit(0)
	for _, name := range []string{"test.unit", "test.hello", "build", "train", "evaluate"} {
		if s := again.step(name); !s.Cached {
			p.t.Errorf("nothing changed, but step %s ran again: %+v", name, s)
		}
	}
	if st := p.wantDeployed(before.report.Release); len(st.History) != 1 {
		p.t.Errorf("nothing changed, but there was a deployment: %+v", st.History)
	}
	if n := len(p.trainingLines()); n != 2 {
		p.t.Errorf("trained %d times, want once: %q", n/2, p.trainingLines())
	}
}

func (p *project) checkCodeChange(before result) result {
	p.t.Helper()
	p.edit("main.go", "2 * asked.N", "asked.N + asked.N")
	commit := p.commit("add instead of multiplying")
	r := p.run().wantRun(0, "deployed")
	st := p.wantDeployed(r.report.Release)
	if st.Commit != commit || st.Replaced != before.report.Release || st.Model.Version != 1 {
		p.t.Errorf("after a change of code: %+v", st)
	}
	if !r.step("train").Cached || r.step("build").Cached {
		p.t.Errorf("a change of code wants a build and no training: %+v", r.report.Steps)
	}
	return r
}

// checkRollback goes back by hand. What was left is quarantined, until a person lets
// it go.
func (p *project) checkRollback(first, second string) {
	p.t.Helper()
	p.slipway("rollback", "--env", "prod", "--why", "wrong prices").wantExit(0).wantText(first)
	st := p.wantDeployed(first)
	if last := st.History[0]; !strings.Contains(last.Reason, "wrong prices") || last.By != "tester" {
		p.t.Errorf("the history does not say who went back, and why: %+v", last)
	}
	p.slipway("rollback", "--env", "prod", "--to", second).wantExit(2).wantText("quarantine", "wrong prices")
	p.slipway("releases", "unquarantine", second, "--why", "the prices were right").wantExit(0)
	p.slipway("rollback", "--env", "prod", "--to", second, "--why", "the prices were right").wantExit(0)
	p.wantDeployed(second)
	p.slipway("rollback", "--env", "prod", "--to", "r-000000000000").wantExit(2).wantText("r-000000000000")
	p.wantDeployed(second)
}

func (p *project) checkModelChange() result {
	p.t.Helper()
	before := p.status("prod")
	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.95")
	p.commit("a better model")
	r := p.run().wantRun(0, "deployed")
	st := p.wantDeployed(r.report.Release)
	if st.Model.Version != 2 || st.Model.Digest == before.Model.Digest || st.Image.Digest != before.Image.Digest {
		p.t.Errorf("a new model with the old image was wanted: %+v, before %+v", st, before)
	}
	if !r.step("build").Cached || r.step("train").Cached {
		p.t.Errorf("a change of the model wants a training and no build: %+v", r.report.Steps)
	}
	return r
}

func (p *project) checkRetrain(before result) {
	p.t.Helper()
	trained := len(p.trainingLines())
	r := p.run("--retrain").wantExit(0)
	if r.step("train").Cached || len(p.trainingLines()) != trained+2 {
		p.t.Errorf("--retrain did not train: %q", p.trainingLines())
	}
	if st := p.wantDeployed(before.report.Release); st.Model.Version != 2 {
		p.t.Errorf("the same training result became version %d", st.Model.Version)
	}
}

// checkDeployOnly promotes to another environment what is good in this one.
func (p *project) checkDeployOnly(good result) {
	p.t.Helper()
	r := p.slipway("run", "--env", "dev", "--deploy-only", "--json").wantRun(0, "deployed")
	for _, s := range r.report.Steps {
		if s.Name == "build" || s.Name == "train" {
			p.t.Errorf("--deploy-only did %s", s.Name)
		}
	}
	p.wantDeployedIn("dev", good.report.Release)
	p.wantDeployed(good.report.Release)
	p.slipway("down", "--env", "dev").wantExit(0)
	if st := p.status("dev"); st.Release != "" || st.Health != "down" {
		p.t.Errorf("dev after slipway down: %+v", st)
	}
}

func (p *project) checkUntil(before result) {
	p.t.Helper()
	r := p.run("--until", "build").wantRun(0, "succeeded")
	for _, s := range r.report.Steps {
		if s.Name == "deploy" || s.Name == "train" && s.Outcome != "skipped" {
			p.t.Errorf("--until build did %+v", s)
		}
	}
	p.wantDeployed(before.report.Release)
}

func (p *project) checkDocsOnly(before result) {
	p.t.Helper()
	p.write("README.md", "# tiny, explained\n")
	p.write("docs/guide.md", "Double your numbers.\n")
	p.commit("words only")
	p.run().wantRun(0, "skipped")
	p.wantDeployed(before.report.Release)
}
