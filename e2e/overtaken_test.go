//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// An older commit never replaces a newer one without a word: neither a run that was
// approved and then overtaken, nor one that is approved after it was overtaken.
func TestApprove_OvertakenRun(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, approvals: 1")
	round := 0
	next := func() report {
		p.edit("slipway.yaml", fmt.Sprintf(`ROUND: "%d"`, round), fmt.Sprintf(`ROUND: "%d"`, round+1))
		round++
		p.commit("another")
		return p.run().wantRun(4, "waiting").report
	}
	approved, newer := next(), next()
	p.slipway("approve", approved.Run, "--no-wait").wantExit(0)
	good := p.slipway("approve", newer.Run, "--json").wantRun(0, "deployed").report.Release
	p.slipway("status", "--env", "prod").wantExit(0).wantText("overtaken by run " + newer.Run)
	p.slipway("run", "--resume", approved.Run, "--json").wantRun(1, "failed").wantText("was overtaken by run " + newer.Run)
	if st := p.wantDeployed(good); len(st.Quarantined) != 0 || len(st.History) != 1 {
		t.Errorf("quarantined %+v, history %+v, want nothing quarantined, and one deployment", st.Quarantined, st.History)
	}

	older, newest := next(), next()
	good = p.slipway("approve", newest.Run, "--json").wantRun(0, "deployed").report.Release
	p.slipway("approve", older.Run).wantExit(2).wantText("was overtaken by run "+newest.Run, "--even-though-older")
	p.wantDeployed(good)
	back := p.slipway("approve", older.Run, "--even-though-older", "--why", "the newest is too slow", "--json").wantRun(0, "deployed").report.Release
	if back == good {
		t.Errorf("release %s is deployed, want the older run's", back)
	}
	p.wantDeployed(back)
}
