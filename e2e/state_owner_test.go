//go:build e2e

package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// pause is how a test lets the owner of a run be taken for dead.
type pause struct {
	name string
	wait time.Duration // until the owner itself knows; 0: it wakes up and believes that nothing has happened
}

// pausesFor are the pauses to test with a driver: in the gate, where time is short, one.
func pausesFor(driver string) []pause {
	before, after := pause{"wakes before its own deadline", 0}, pause{"wakes after its own deadline", ownerTimeout}
	switch {
	case inGate() && driver == "folder":
		return []pause{before}
	case inGate():
		return []pause{after}
	}
	return []pause{before, after}
}

// Pauses the owner of a run in the middle of a deploy. Another machine takes the run
// over, and a third one delivers something newer. Then the old owner wakes up: it changes
// neither the records nor the cluster.
func TestState_PausedOwner(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, driver string) {
		for _, pause := range pausesFor(driver) {
			t.Run(pause.name, func(t *testing.T) {
				t.Parallel()
				s := newStateProject(t, driver)
				s.testPausedOwner(pause.wait)
			})
		}
	})
}

func (s *stateProject) testPausedOwner(wait time.Duration) {
	s.t.Helper()
	s.run().wantRun(0, "deployed")
	s.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "1"`)
	s.commit("the owner is paused")
	owner := s.start("run", "--env", "prod", "--json")
	run := owner.waitForStep("deploy").Run
	time.Sleep(500 * time.Millisecond)
	owner.signal(syscall.SIGSTOP)
	begun := time.Now()
	if wait == 0 {
		s.forgetBeats()
	}
	r, after := s.takeOver(run, ownerTimeout+15*time.Second)
	r.wantRun(0, "deployed")
	s.t.Logf("taken over after %s", after.Round(time.Second))
	s.edit("slipway.yaml", `ROUND: "1"`, `ROUND: "2"`)
	s.commit("something newer")
	newest := s.run().wantRun(0, "deployed")
	time.Sleep(wait - time.Since(begun))

	entries, cluster := s.keys("log/"), s.clusterState()
	owner.signal(syscall.SIGCONT)
	woken := owner.wait()
	if woken.code == 0 || woken.report.Outcome != "" {
		s.t.Errorf("the owner that was replaced: exit %d, outcome %q, want an error without an outcome\n%s", woken.code, woken.report.Outcome, woken)
	}
	woken.wantText("slipway status")
	s.t.Logf("the owner that was replaced: exit %d: %s", woken.code, woken.stderr)
	if now := s.keys("log/"); !slices.Equal(now, entries) {
		s.t.Errorf("the owner that was replaced added %v to the log", now[len(entries):])
	}
	if now := s.clusterState(); now != cluster {
		s.t.Errorf("the owner that was replaced changed the cluster: %s, want %s", now, cluster)
	}
	s.requireServing("tiny", newest.report.Release)
}

// clusterState is what deploys change: what the Service selects, the Deployments, and the
// environment's history.
func (s *stateProject) clusterState() string {
	s.t.Helper()
	return s.kubectlIn("get", "services,deployments,configmaps", "-o",
		`jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.spec.selector} {.spec.template.metadata.labels} {.data}{"\n"}{end}`)
}
