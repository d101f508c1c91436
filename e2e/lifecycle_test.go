//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestStory takes one repository through a good day: every way of delivering.
func TestStory(t *testing.T) {
	t.Parallel()
	p := tiny(t)

	first := p.run().wants(0, "deployed")
	st := p.serves(first.report.Release)
	if st.By != "tester" || st.Image.Digest == "" || st.Model.Version != 1 || st.Commit != p.git("rev-parse", "HEAD") {
		t.Errorf("status does not name who, what or from where: %+v", st)
	}
	if got := first.step("test.unit").Summary; got == "" {
		t.Error("test.unit counted nothing")
	}
	p.unchanged(first)
	second := p.oneLineChange(first)
	p.rollbackTo(first.report.Release, second.report.Release)
	third := p.modelOnly()
	p.retrain(third)
	p.deployOnly(third)
	p.until(third)
	p.onlyDocuments(third)
}

// unchanged runs again: everything is cached and nothing moves.
func (p *project) unchanged(before result) {
	p.t.Helper()
	again := p.run().exits(0)
	for _, name := range []string{"test.unit", "test.hello", "build", "train", "evaluate"} {
		if s := again.step(name); !s.Cached {
			p.t.Errorf("nothing changed, but step %s ran again: %+v", name, s)
		}
	}
	if st := p.serves(before.report.Release); len(st.History) != 1 {
		p.t.Errorf("nothing changed, but there was a deployment: %+v", st.History)
	}
	if n := len(p.trainings()); n != 2 {
		p.t.Errorf("trained %d times, want once: %q", n/2, p.trainings())
	}
}

func (p *project) oneLineChange(before result) result {
	p.t.Helper()
	p.edit("main.go", "2 * asked.N", "asked.N + asked.N")
	commit := p.commit("add instead of multiplying")
	r := p.run().wants(0, "deployed")
	st := p.serves(r.report.Release)
	if st.Commit != commit || st.Replaced != before.report.Release || st.Model.Version != 1 {
		p.t.Errorf("after a change of code: %+v", st)
	}
	if !r.step("train").Cached || r.step("build").Cached {
		p.t.Errorf("a change of code wants a build and no training: %+v", r.report.Steps)
	}
	return r
}

// rollbackTo goes back by hand. What was left is quarantined, until a person lets
// it go.
func (p *project) rollbackTo(first, second string) {
	p.t.Helper()
	p.slipway("rollback", "--env", "prod", "--why", "wrong prices").exits(0).says(first)
	st := p.serves(first)
	if last := st.History[0]; !strings.Contains(last.Reason, "wrong prices") || last.By != "tester" {
		p.t.Errorf("the history does not say who went back, and why: %+v", last)
	}
	p.slipway("rollback", "--env", "prod", "--to", second).exits(2).says("quarantine", "wrong prices")
	p.slipway("releases", "unquarantine", second, "--why", "the prices were right").exits(0)
	p.slipway("rollback", "--env", "prod", "--to", second, "--why", "the prices were right").exits(0)
	p.serves(second)
	p.slipway("rollback", "--env", "prod", "--to", "r-000000000000").exits(2).says("r-000000000000")
	p.serves(second)
}

func (p *project) modelOnly() result {
	p.t.Helper()
	before := p.status("prod")
	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.95")
	p.commit("a better model")
	r := p.run().wants(0, "deployed")
	st := p.serves(r.report.Release)
	if st.Model.Version != 2 || st.Model.Digest == before.Model.Digest || st.Image.Digest != before.Image.Digest {
		p.t.Errorf("a new model with the old image was wanted: %+v, before %+v", st, before)
	}
	if !r.step("build").Cached || r.step("train").Cached {
		p.t.Errorf("a change of the model wants a training and no build: %+v", r.report.Steps)
	}
	return r
}

func (p *project) retrain(before result) {
	p.t.Helper()
	trained := len(p.trainings())
	r := p.run("--retrain").exits(0)
	if r.step("train").Cached || len(p.trainings()) != trained+2 {
		p.t.Errorf("--retrain did not train: %q", p.trainings())
	}
	if st := p.serves(before.report.Release); st.Model.Version != 2 {
		p.t.Errorf("the same training result became version %d", st.Model.Version)
	}
}

// deployOnly promotes to another environment what is good in this one.
func (p *project) deployOnly(good result) {
	p.t.Helper()
	r := p.slipway("run", "--env", "dev", "--deploy-only", "--json").wants(0, "deployed")
	for _, s := range r.report.Steps {
		if s.Name == "build" || s.Name == "train" {
			p.t.Errorf("--deploy-only did %s", s.Name)
		}
	}
	p.servesIn("dev", good.report.Release)
	p.serves(good.report.Release)
	p.slipway("down", "--env", "dev").exits(0)
	if st := p.status("dev"); st.Release != "" || st.Health != "down" {
		p.t.Errorf("dev after slipway down: %+v", st)
	}
}

func (p *project) until(before result) {
	p.t.Helper()
	r := p.run("--until", "build").wants(0, "succeeded")
	for _, s := range r.report.Steps {
		if s.Name == "deploy" || s.Name == "train" && s.Outcome != "skipped" {
			p.t.Errorf("--until build did %+v", s)
		}
	}
	p.serves(before.report.Release)
}

func (p *project) onlyDocuments(before result) {
	p.t.Helper()
	p.write("README.md", "# tiny, explained\n")
	p.write("docs/guide.md", "Double your numbers.\n")
	p.commit("words only")
	p.run().wants(0, "skipped")
	p.serves(before.report.Release)
}
