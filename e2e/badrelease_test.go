//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// badBehaviour is something that a release can do, the step that notices, and words of
// the cause that people are told.
type badBehaviour struct {
	behaviour string
	step      string
	causes    []string
}

// TestRollback_BadReleases delivers everything that can be wrong with a release: the right
// cause is named, the old release serves, and the bad one stays out.
func TestRollback_BadReleases(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	for _, w := range []badBehaviour{
		{"predict fails", "deploy", []string{"predict", "500"}},
		{"crashes", "deploy", []string{"out of cheese"}},
		{"wrong model", "deploy", []string{"999"}},
		{"even numbers fail", "watch", []string{"error rate"}},
	} {
		p.deployBadRelease(good, w)
	}
	p.checkQuarantine(good)
}

// TestRollback_NeverReady: the same for a release that starts, and then does nothing.
func TestRollback_NeverReady(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.deployBadRelease(good, badBehaviour{"never ready", "deploy", []string{"/ready"}})
}

// deployBadRelease delivers it while users ask.
func (p *project) deployBadRelease(good string, w badBehaviour) {
	p.t.Helper()
	p.setBehaviour(w.behaviour)
	r := p.withLoad(good, func() result { return p.run().wantRun(3, "rolled_back") }, w.step == "watch")
	if s := r.step(w.step); s.Outcome != "failed" {
		p.t.Errorf("%s: step %s is %s, but it had to notice\n%s", w.behaviour, w.step, s.Outcome, r)
	}
	for _, word := range w.causes {
		if !strings.Contains(r.report.Cause, word) {
			p.t.Errorf("%s: the cause does not say %q: %s", w.behaviour, word, r.report.Cause)
		}
	}
	p.wantRolledBack(good, r)
}

// TestWatch_NoTraffic: a release that nobody used has proved nothing, and Slipway's own
// questions are not users.
func TestWatch_NoTraffic(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	r := p.run().wantRun(0, "deployed")
	good := r.report.Release
	if s := r.step("watch"); !strings.Contains(s.Summary, "no traffic") {
		t.Errorf("nobody asked, and the watch says: %s", s.Summary)
	}
	p.edit("slipway.yaml", "error_rate: 0.05", "error_rate: 0.05, no_traffic: fail")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("silence is bad news")
	r = p.run().wantRun(3, "rolled_back").wantText("no traffic")
	p.wantRolledBack(good, r)
	p.slipway("releases", "unquarantine", r.report.Release, "--why", "now with users").wantExit(0)
	p.withLoad(good, func() result { return p.run().wantRun(0, "deployed") }, false)
	p.wantDeployed(r.report.Release)
}

// withLoad does something while users ask. They may notice a release that only
// users can judge, and no other.
func (p *project) withLoad(serving string, do func() result, mayFail bool) result {
	p.t.Helper()
	u := startLoad(p.wantDeployed(serving).URL, 60)
	r := do()
	asked, failures := u.stopAndCount()
	if asked == 0 || len(failures) > 0 != mayFail {
		p.t.Errorf("of %d requests failed %d (may they: %v)\n%s\n%s", asked, len(failures), mayFail,
			strings.Join(failures[:min(5, len(failures))], "\n"), r)
	}
	return r
}

// wantRolledBack checks that the good release serves, and the one of the run is quarantined.
func (p *project) wantRolledBack(good string, r result) {
	p.t.Helper()
	st := p.wantDeployed(good)
	bad := st.History[0].Release
	if bad == good || r.report.Release != bad {
		p.t.Errorf("the report names the release %q, which was %s\n%s", r.report.Release, bad, r)
	}
	isBad := func(d struct{ Release, Reason string }) bool { return d.Release == bad && d.Reason != "" }
	if !slices.ContainsFunc(st.Quarantined, isBad) {
		p.t.Errorf("release %s is not quarantined: %+v", bad, st.Quarantined)
	}
	if last := st.History[0]; last.Release != bad || last.State != "rolled_back" || last.Reason == "" {
		p.t.Errorf("the history does not say that %s was rolled back, and why: %+v", bad, last)
	}
}

// checkQuarantine: what was rolled back comes back by nobody's mistake, only when a
// person lets it go.
func (p *project) checkQuarantine(good string) {
	p.t.Helper()
	bad := p.setBehaviour("predict fails")
	first := p.run()
	if first.code == 0 {
		p.t.Fatalf("a quarantined commit was let in\n%s", first)
	}
	r := p.run()
	if r.code != 1 && r.code != 2 || !strings.Contains(r.stdout+r.stderr, "quarantine") {
		p.t.Fatalf("running commit %s again: exit %d, want a refusal that says quarantine\n%s", bad, r.code, r)
	}
	st := p.wantDeployed(good)
	release := st.History[0].Release
	p.slipway("rollback", "--env", "prod", "--to", release).wantText("quarantine")
	p.wantDeployed(good)
	p.slipway("releases", "unquarantine", release).wantExit(2).wantText("--why")
	p.slipway("releases", "unquarantine", release, "--why", "I want to see it again").wantExit(0)
	p.run().wantRun(3, "rolled_back")
	p.wantDeployed(good)
}

// TestDeploy_LosesNoRequests: users who ask all the time lose nothing when a good release comes,
// nor when one goes that fails before it gets them.
func TestDeploy_LosesNoRequests(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	first := p.run().wantRun(0, "deployed").report.Release
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("another configuration")
	second := p.withLoad(first, func() result { return p.run().wantRun(0, "deployed") }, false).report.Release
	p.withLoad(second, func() result { return p.slipway("rollback", "--env", "prod", "--json").wantExit(0) }, false)
	p.wantDeployed(first)
}

// TestGates_StopBeforeDeploy: what a gate or a test refuses never reaches production.
func TestGates_StopBeforeDeploy(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release

	p.setBehaviour("fails its test")
	p.run().wantRun(1, "failed").wantText("main_test.go:7")
	p.wantDeployed(good)

	p.setBehaviour("good")
	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.5")
	p.commit("a worse model")
	p.run().wantRun(1, "failed").wantText("accuracy >= 0.8", "0.5")
	p.wantDeployed(good)

	p.edit("weights.txt", "accuracy=0.5", "accuracy=0.83")
	p.commit("a model that is worse than the champion")
	p.run().wantRun(1, "failed").wantText("champion.accuracy", "0.83")
	p.wantDeployed(good)

	p.edit("weights.txt", "accuracy=0.83", "accuracy=")
	p.commit("a model that was not measured")
	p.run().wantRun(1, "failed").wantText("accuracy", "investigate")
	if st := p.wantDeployed(good); len(st.History) != 1 || len(st.Quarantined) != 0 {
		t.Errorf("a refusal left traces in production: %+v", st)
	}
}
