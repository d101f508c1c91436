//go:build e2e

package e2e

import (
	"os"
	"syscall"
	"testing"
)

// Cancelling a run while the new release already receives traffic restores the release
// before it, and quarantines nothing.
func TestCancel_DuringWatch(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(p *project, run string, s *started){
		"by another process": func(p *project, run string, _ *started) {
			p.slipway("cancel", run, "--json").wantRun(0, "cancelled")
		},
		"by Ctrl-C":  func(_ *project, _ string, s *started) { s.signal(os.Interrupt) },
		"by SIGTERM": func(_ *project, _ string, s *started) { s.signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newTinyProject(t)
			good := p.run().wantRun(0, "deployed").report.Release
			p.edit("slipway.yaml", "bake: 300ms", "bake: 2m")
			p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
			p.commit("a long bake")
			s := p.start("run", "--env", "prod", "--json")
			run := s.waitForStep("watch").Run
			entering := p.status("prod").Entering
			if entering == nil || entering.Release == good {
				t.Fatalf("Entering = %+v, want the new release", entering)
			}
			stop(p, run, s)
			r := s.wait().wantRun(130, "cancelled")
			st := p.wantDeployed(good)
			if st.Entering != nil || len(st.Unfinished) > 0 || len(st.Quarantined) > 0 {
				t.Errorf("after the cancellation: Entering = %+v, Unfinished = %v, Quarantined = %+v, want none\n%s", st.Entering, st.Unfinished, st.Quarantined, r)
			}
			if last := st.History[0]; last.Release != entering.Release || last.State != "cancelled" || last.Reason == "" {
				t.Errorf("History[0] = %+v, want %s cancelled with a reason", last, entering.Release)
			}
			p.slipway("cancel", run).wantExit(2).wantText("has already ended")
			p.edit("slipway.yaml", "bake: 2m", "bake: 100ms")
			p.commit("a short bake")
			p.wantDeployed(p.run().wantRun(0, "deployed").report.Release)
		})
	}
}

// A training job ends when its run is cancelled.
func TestCancel_DuringTraining(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("weights.txt", "seconds=0", "seconds=600")
	p.commit("a long training")
	s := p.start("run", "--env", "prod", "--json")
	s.waitForStep("train")
	begun := func() bool { return len(p.trainingLines()) == 1 }
	if !p.eventually(commandTimeout, begun) {
		t.Fatal("the training did not begin")
	}
	s.signal(os.Interrupt)
	s.wait().wantRun(130, "cancelled")
	if left := p.processes("sleep 600"); len(left) > 0 {
		t.Errorf("processes of the training after the run ended: %v, want none", left)
	}
	if lines := p.trainingLines(); len(lines) != 1 {
		t.Errorf("the training went on: %q", lines)
	}
}
