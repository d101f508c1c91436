//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// badBehaviour is a way for a release to fail, the step that detects it, and parts of
// the reported cause.
type badBehaviour struct {
	behaviour string
	step      string
	causes    []string
}

// Each bad release is rolled back with the right cause, the good release stays
// deployed, and the bad one is quarantined.
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

// A release that starts but never becomes ready is rolled back, too.
func TestRollback_NeverReady(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.deployBadRelease(good, badBehaviour{"never ready", "deploy", []string{"/ready"}})
}

// deployBadRelease runs a delivery of the bad release under load.
func (p *project) deployBadRelease(good string, w badBehaviour) {
	p.t.Helper()
	p.setBehaviour(w.behaviour)
	r := p.withLoad(good, func() result { return p.run().wantRun(3, "rolled_back") }, w.step == "watch")
	if s := r.step(w.step); s.Outcome != "failed" {
		p.t.Errorf("%s: outcome of step %s = %q, want failed\n%s", w.behaviour, w.step, s.Outcome, r)
	}
	for _, word := range w.causes {
		if !strings.Contains(r.report.Cause, word) {
			p.t.Errorf("%s: cause = %q, want %q in it", w.behaviour, r.report.Cause, word)
		}
	}
	p.wantRolledBack(good, r)
}

// A watch without user traffic reports so, and fails if the file demands traffic.
// Slipway's own probes do not count as traffic.
func TestWatch_NoTraffic(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	r := p.run().wantRun(0, "deployed")
	good := r.report.Release
	if s := r.step("watch"); !strings.Contains(s.Summary, "no traffic") {
		t.Errorf("summary of watch = %q, want \"no traffic\" in it", s.Summary)
	}
	p.edit("slipway.yaml", "error_rate: 0.05", "error_rate: 0.05, no_traffic: fail")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("demand traffic")
	r = p.run().wantRun(3, "rolled_back").wantText("no traffic")
	p.wantRolledBack(good, r)
	p.slipway("plan", "--env", "prod").wantExit(2).wantText("quarantined as " + r.report.Release)
	p.slipway("releases", "unquarantine", r.report.Release, "--why", "now with users").wantExit(0)
	p.withLoad(good, func() result { return p.run().wantRun(0, "deployed") }, false)
	p.wantDeployed(r.report.Release)
}

// withLoad calls do under load. Requests fail if, and only if, mayFail: for a release
// whose failure only user traffic reveals.
func (p *project) withLoad(serving string, do func() result, mayFail bool) result {
	p.t.Helper()
	u := startLoad(p.wantDeployed(serving).URL, 60)
	r := do()
	asked, failures := u.stopAndCount()
	if asked == 0 || len(failures) > 0 != mayFail {
		p.t.Errorf("%d of %d requests failed, want some: %v\n%s\n%s", len(failures), asked, mayFail,
			strings.Join(failures[:min(5, len(failures))], "\n"), r)
	}
	return r
}

// wantRolledBack checks that the good release is deployed, and that of the run quarantined.
func (p *project) wantRolledBack(good string, r result) {
	p.t.Helper()
	st := p.wantDeployed(good)
	bad := st.History[0].Release
	if bad == good || r.report.Release != bad {
		p.t.Errorf("release in the report = %q, want the rolled back one, %s\n%s", r.report.Release, bad, r)
	}
	isBad := func(d struct{ Release, Reason string }) bool { return d.Release == bad && d.Reason != "" }
	if !slices.ContainsFunc(st.Quarantined, isBad) {
		p.t.Errorf("Quarantined = %+v, want %s with a reason", st.Quarantined, bad)
	}
	if last := st.History[0]; last.Release != bad || last.State != "rolled_back" || last.Reason == "" {
		p.t.Errorf("History[0] = %+v, want %s rolled_back with a reason", last, bad)
	}
}

// checkQuarantine checks that a rolled back release is not delivered again until it
// is released from quarantine.
func (p *project) checkQuarantine(good string) {
	p.t.Helper()
	bad := p.setBehaviour("predict fails")
	first := p.run()
	if first.code == 0 {
		p.t.Fatalf("running quarantined commit %s: exit 0, want a refusal\n%s", bad, first)
	}
	r := p.run()
	if r.code != 1 && r.code != 2 || !strings.Contains(r.stdout+r.stderr, "quarantine") {
		p.t.Fatalf("running commit %s again: exit %d, want 1 or 2 and \"quarantine\"\n%s", bad, r.code, r)
	}
	st := p.wantDeployed(good)
	i := slices.IndexFunc(st.History, func(d deployment) bool { return strings.Contains(d.Reason, "predict") })
	if i < 0 {
		p.t.Fatalf("History = %+v, want the release whose predictions failed", st.History)
	}
	release := st.History[i].Release
	p.slipway("rollback", "--env", "prod", "--to", release).wantText("quarantine")
	p.wantDeployed(good)
	p.slipway("releases", "unquarantine", release).wantExit(2).wantText("--why")
	p.slipway("releases", "unquarantine", release, "--why", "I want to see it again").wantExit(0)
	p.run().wantRun(3, "rolled_back")
	p.wantDeployed(good)
}

// No request fails under constant load, neither during a deploy nor during a rollback.
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

// A failed test or gate leaves production unchanged.
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
		t.Errorf("after failed gates: History = %+v, Quarantined = %+v, want one deployment and no quarantine", st.History, st.Quarantined)
	}
}
