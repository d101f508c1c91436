//go:build e2e

package e2e

import "testing"

// New code is delivered with an approved model of choice; nothing is trained for it.
func TestRun_Model(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.run().wantRun(0, "deployed")
	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.91")
	p.commit("another model")
	p.run().wantRun(0, "deployed")
	trainings := len(p.trainingLines())

	p.edit("weights.txt", "accuracy=0.91", "accuracy=0.92")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("code, and a third model")
	p.run("--model", "tiny-models:7").wantExit(2).wantText("slipway models")
	good := p.run("--model", "tiny-models:1").wantRun(0, "deployed").report.Release
	if st := p.wantDeployed(good); st.Model.Version != 1 {
		t.Errorf("model version %d is deployed, want 1", st.Model.Version)
	}
	if n := len(p.trainingLines()); n != trainings {
		t.Errorf("%d lines of training, want %d as before", n, trainings)
	}
}
