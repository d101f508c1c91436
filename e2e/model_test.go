//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

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

// An approval is taken back: prod is rolled back to the release with the other model,
// and neither a run nor a rollback brings the rejected one in again.
func TestReject_DeployedModel(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	good := p.run().wantRun(0, "deployed").report.Release
	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.91")
	p.commit("another model")
	revoked := p.run().wantRun(0, "deployed").report.Release
	p.slipway("reject", "tiny-models:2", "--why", "biased").wantExit(2).wantText("deployed in prod ("+revoked+")", "--serving")
	p.wantDeployed(revoked)
	p.slipway("reject", "tiny-models:2", "--why", "biased", "--by", "cy", "--serving", "rollback").wantExit(0)
	if st := p.wantDeployed(good); st.Model.Version != 1 || st.History[0].Reason != "rolled back by tester: model tiny-models:2 was rejected by cy: biased" {
		t.Errorf("model version %d, history %+v; want version 1, and why", st.Model.Version, st.History)
	}
	p.slipway("releases", "unquarantine", revoked, "--why", "test").wantExit(0)
	p.slipway("rollback", "--env", "prod", "--to", revoked).wantExit(1).wantText("tiny-models:2, which was rejected")
	p.run("--model", "tiny-models:2").wantExit(1).wantText("not approved (Rejected)")
	p.run().wantRun(1, "failed").wantText("rejected by cy: biased")
	p.wantDeployed(good)
}

// A model that was trained elsewhere is registered, approved and delivered; nothing is
// trained here.
func TestModels_Add(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	model, metrics := filepath.Join(p.base, "weights.txt"), filepath.Join(p.base, "scores.json")
	p.must(os.WriteFile(model, []byte("accuracy=0.97\n"), 0o600))
	p.must(os.WriteFile(metrics, []byte(`{"accuracy": 0.97}`), 0o600))
	p.slipway("models", "add", "tiny-models", model, "--metrics", metrics, "--why", "from research").wantExit(0).wantText("tiny-models:1 is PendingManualApproval")
	p.run("--model", "tiny-models:1").wantExit(1).wantText("slipway approve tiny-models:1")
	p.slipway("approve", "tiny-models:1", "--why", "looked at it").wantExit(0)
	p.wantDeployed(p.run("--model", "tiny-models:1").wantRun(0, "deployed").report.Release)
	if lines := p.trainingLines(); len(lines) != 0 {
		t.Errorf("trainings: %q, want none", lines)
	}
	p.slipway("models", "show", "tiny-models:1").wantExit(0).wantText("added     by tester: from research")
}
