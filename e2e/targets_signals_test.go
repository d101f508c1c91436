//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// Signals that end the supervisor, or stop a run, from outside of Slipway.
func TestTargets_L3_L5_L16_Signals(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.rename("signalled")
	good := p.run().wantRun(0, "deployed").report.Release
	p.subtest("L3_SupervisorKilled", func() { p.checkSupervisorEnds(good, syscall.SIGKILL) })
	p.subtest("L5_SupervisorTerminated", func() { p.checkSupervisorEnds(good, syscall.SIGTERM) })
	p.subtest("L16_RunStopped", p.checkStoppedRun)
}

// checkSupervisorEnds: with the supervisor ends the service, which status shows as it is.
// `slipway up` starts the same release at the same address, and no process is left over.
func (p *project) checkSupervisorEnds(good string, signal syscall.Signal) {
	p.t.Helper()
	url := p.wantDeployed(good).URL
	before := p.processes("SLIPWAY_RELEASE=")
	supervisors := p.supervisors()
	if len(supervisors) != 1 {
		p.t.Fatalf("supervisors: %v, want one", supervisors)
	}
	ended := time.Now()
	p.must(syscall.Kill(supervisors[0].pid, signal))
	isGone := func() bool {
		return syscall.Kill(supervisors[0].pid, 0) != nil || readProcess(supervisors[0].pid).command == ""
	}
	if !p.eventually(10*time.Second, isGone) {
		p.t.Fatalf("supervisor %s is still there after %s", supervisors[0], signal)
	}
	st := p.status("prod")
	if _, err := p.health(url); err != nil && (st.Health != "down" || st.Release != good) {
		p.t.Errorf("status = %+v, want %s, down: %v", st, good, err)
	}
	p.slipway("up").wantExit(0)
	if now := p.wantDeployed(good); now.URL != url {
		p.t.Errorf("the service is back at %s, want %s", now.URL, url)
	}
	if took := time.Since(ended); took > 20*time.Second {
		p.t.Errorf("the service was away for %s", took)
	}
	for _, old := range before {
		if isGone := func() bool { return readProcess(old.pid).command != old.command }; !p.eventually(5*time.Second, isGone) {
			p.t.Errorf("replica %s of the supervisor that ended still runs", old)
		}
	}
	if replicas, all := p.processes("SLIPWAY_RELEASE="+good), p.supervisors(); len(replicas) != 2 || len(all) != 1 {
		p.t.Errorf("replicas: %v, supervisors: %v; want two and one", replicas, all)
	}
}

// checkStoppedRun stops a run while it waits for its replicas. The next one waits, and
// names whom it waits for; both end well once the first continues.
func (p *project) checkStoppedRun() {
	p.t.Helper()
	p.edit("slipway.yaml", "env: {ROUND:", "env: {TINY_START_AFTER: 1s, ROUND:")
	p.changeRound("stopped")
	first := p.start("run", "--env", "prod", "--json")
	if _, ok := first.waitForEvent(func(e runEvent) bool { return e.Text == "0 of 2 replicas ready" }); !ok {
		p.t.Fatalf("the run waited for no replica:\n%s", first.wait())
	}
	time.Sleep(200 * time.Millisecond) // it may be writing a record: stopped, it would keep the database locked
	first.signal(syscall.SIGSTOP)
	p.changeRound("behind it")
	second := p.startAs("ben", "run", "--env", "prod", "--json")
	queued, ok := second.waitForEvent(ofKind("run.queued"))
	first.signal(syscall.SIGCONT)
	r1, r2 := first.wait().wantRun(0, "deployed"), second.wait().wantRun(0, "deployed")
	host, err := os.Hostname()
	p.must(err)
	behind := fmt.Sprintf(`^behind run %s by tester \(running, process %d on %s, since \d{4}-\d\d-\d\dT`, r1.report.Run, first.cmd.Process.Pid, regexp.QuoteMeta(host))
	if !ok || !regexp.MustCompile(behind).MatchString(queued.Text) {
		p.t.Errorf("the second run waits %q, want %s", queued.Text, behind)
	}
	if st := p.wantDeployed(r2.report.Release); st.History[1].Release != r1.report.Release {
		p.t.Errorf("History = %+v, want %s and %s", st.History[:2], r2.report.Release, r1.report.Release)
	}
}
