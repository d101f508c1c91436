//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// Takes one repository through every kind of delivery.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)

	first := p.run().wantRun(0, "deployed")
	st := p.wantDeployed(first.report.Release)
	if st.By != "tester" || st.Image.Digest == "" || st.Model.Version != 1 || st.Commit != p.git("rev-parse", "HEAD") {
		t.Errorf("status = %+v, want By tester, an image, model version 1 and commit %s", st, p.git("rev-parse", "HEAD"))
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

// checkUnchanged runs again: the plan finds out that nothing would change. A run that
// starts while another one is in progress finds that out when it deploys.
func (p *project) checkUnchanged(before result) {
	p.t.Helper()
	again := p.run().wantRun(0, "skipped")
	if len(again.report.Steps) > 0 || !strings.Contains(again.report.Cause, before.report.Release) {
		p.t.Errorf("steps = %v, cause = %q, want no step and %s in the cause", again.report.Steps, again.report.Cause, before.report.Release)
	}
	p.edit("main_test.go", "package main", "package main // tested once more")
	p.commit("only a test changed")
	late := p.run().wantRun(0, "skipped")
	if late.report.Release != before.report.Release {
		p.t.Errorf("release = %q, want %s", late.report.Release, before.report.Release)
	}
	for _, name := range []string{"train", "evaluate"} {
		if s := late.step(name); !s.Cached {
			p.t.Errorf("step %s of another test = %+v, want it cached", name, s)
		}
	}
	if st := p.wantDeployed(before.report.Release); len(st.History) != 1 {
		p.t.Errorf("History of the unchanged commit = %+v, want one deployment", st.History)
	}
	if n := len(p.trainingLines()); n != 2 {
		p.t.Errorf("trained %d times, want once: %q", n/2, p.trainingLines())
	}
}

func (p *project) checkCodeChange(before result) result {
	p.t.Helper()
	p.edit("main.go", `"no idea"`, `"no clue"`)
	commit := p.commit("word an error anew")
	r := p.run().wantRun(0, "deployed")
	st := p.wantDeployed(r.report.Release)
	if st.Commit != commit || st.Replaced != before.report.Release || st.Model.Version != 1 {
		p.t.Errorf("status = %+v, want commit %s in place of %s with model version 1", st, commit, before.report.Release)
	}
	if !r.step("train").Cached || r.step("build").Cached {
		p.t.Errorf("train = %+v, build = %+v, want only train cached", r.step("train"), r.step("build"))
	}
	return r
}

// checkRollback rolls back by command. The release that was left stays quarantined
// until it is released.
func (p *project) checkRollback(first, second string) {
	p.t.Helper()
	p.slipway("rollback", "--env", "prod", "--why", "wrong prices").wantExit(0).wantText("rolled back to " + first)
	st := p.wantDeployed(first)
	if last := st.History[0]; !strings.Contains(last.Reason, "wrong prices") || last.By != "tester" {
		p.t.Errorf("History[0] = %+v, want By tester and the reason %q", last, "wrong prices")
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
		p.t.Errorf("model %+v with image %+v, want a new model and the image of before, %+v with %+v", *st.Model, st.Image, *before.Model, before.Image)
	}
	if !r.step("build").Cached || r.step("train").Cached {
		p.t.Errorf("train = %+v, build = %+v, want only build cached", r.step("train"), r.step("build"))
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

// checkDeployOnly promotes the release of one environment to another.
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
		p.t.Errorf("dev after slipway down: release %q, health %s, want none and down", st.Release, st.Health)
	}
}

func (p *project) checkUntil(before result) {
	p.t.Helper()
	r := p.run("--until", "build").wantRun(0, "succeeded")
	for _, s := range r.report.Steps {
		if s.Name == "deploy" || s.Name == "train" && s.Outcome != "skipped" {
			p.t.Errorf("step of run --until build = %+v, want train skipped and no deploy", s)
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
