//go:build e2e

package e2e

import (
	"testing"
)

type modelVersion struct {
	Group     string         `json:"group"`
	Version   int            `json:"version"`
	Digest    string         `json:"digest"`
	Status    string         `json:"status"`
	Metrics   map[string]any `json:"metrics"`
	DecidedBy string         `json:"decided_by"`
	Why       string         `json:"why"`
}

// A run waits for a decision on its model, then continues (approved) or ends (rejected).
func TestApprove_Model(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "approve: auto", "approve: manual")
	p.commit("people decide")
	waits := p.run().wantRun(4, "waiting")
	p.slipway("status").wantExit(0)
	if m := runJSON[[]modelVersion](p, "models"); len(m) != 1 || m[0].Status != "PendingManualApproval" {
		t.Fatalf("models = %+v, want one that is PendingManualApproval", m)
	}
	p.slipway("approve", waits.report.Run, "--why", "looked at it", "--by", "ann").wantExit(0)
	m := runJSON[[]modelVersion](p, "models")
	if m[0].Status != "Approved" || m[0].DecidedBy != "ann" || m[0].Why != "looked at it" {
		t.Errorf("models[0] = %+v, want Approved by ann because %q", m[0], "looked at it")
	}
	good := p.status("prod").Release
	p.wantDeployed(good)

	p.edit("weights.txt", "accuracy=0.9", "accuracy=0.91")
	p.commit("another model")
	p.run().wantRun(4, "waiting")
	p.wantDeployed(good)
	p.slipway("reject", "tiny-models:2").wantExit(2).wantText("--why")
	p.slipway("reject", "tiny-models:2", "--why", "trained on a holiday", "--by", "ben", "--json").wantRun(0, "failed")
	m = runJSON[[]modelVersion](p, "models")
	if m[0].Version != 2 || m[0].Status != "Rejected" || m[0].DecidedBy != "ben" || m[0].Why != "trained on a holiday" {
		t.Errorf("models[0] = %+v, want version 2, Rejected by ben because %q", m[0], "trained on a holiday")
	}
	p.wantDeployed(good)
	if again := p.run(); again.code != 1 {
		t.Errorf("the same rejected model again: exit %d, want 1\n%s", again.code, again)
	}
	p.wantDeployed(good)
}

// One process records the approval, and the one that resumes the run finishes it.
func TestApprove_NoWaitThenResume(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, approvals: 1")
	p.commit("prod wants a person")
	waits := p.run().wantRun(4, "waiting")
	if st := p.status("prod"); st.Release != "" {
		t.Fatalf("release %s is deployed, want none before the approval", st.Release)
	}
	p.slipway("run", "--resume", waits.report.Run, "--json").wantRun(4, "waiting")
	p.slipway("approve", waits.report.Run, "--by", "ann", "--why", "go", "--no-wait").wantExit(0)
	if st := p.status("prod"); st.Release != "" {
		t.Fatalf("release %s is deployed after approve --no-wait, want none", st.Release)
	}
	r := p.slipway("run", "--resume", waits.report.Run, "--json").wantRun(0, "deployed")
	p.wantDeployed(r.report.Release)

	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	p.commit("another")
	again := p.run().wantRun(4, "waiting")
	p.slipway("reject", again.report.Run, "--why", "not on a Friday", "--json").wantRun(0, "failed").wantText("not on a Friday")
	p.wantDeployed(r.report.Release)
}
