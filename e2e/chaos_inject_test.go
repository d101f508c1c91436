//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// runAndKill starts the command and kills it at the kill point. It reports whether the
// command was still running then.
func (s *chaosProject) runAndKill(ph killPoint, delay time.Duration, supervisor bool, args []string) bool {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.waitForEvent(ph.match); !ok {
			s.logf("the command ended before the kill point: %s", cmd.wait())
			return false
		}
	}
	time.Sleep(delay) // the random moment of the kill
	r := cmd.kill()
	s.loseMachine()
	if supervisor {
		s.killSupervisor()
	}
	s.recordProgress(r)
	for _, e := range r.events {
		s.killedRun = delivery.RunID(e.Run)
	}
	s.logf("killed: %s", r)
	return r.code == 128+int(syscall.SIGKILL)
}

// loseMachine lets the owner's timeout pass after a kill, where other machines wait for it.
func (s *chaosProject) loseMachine() {
	s.t.Helper()
	if s.shared != nil {
		s.shared.forgetBeats()
	}
}

// runAndKillSupervisor kills only the supervisor and waits for the command, which must
// end by itself; `slipway up` then starts the service again.
func (s *chaosProject) runAndKillSupervisor(ph killPoint, delay time.Duration, args []string) (killed int) {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.waitForEvent(ph.match); !ok {
			s.logf("the command ended before the kill point: %s", cmd.wait())
			return 0
		}
	}
	time.Sleep(delay) // the random moment of the kill
	killed = s.killSupervisor()
	r := cmd.wait()
	s.logf("the command continued without the supervisor: %s", r)
	for _, e := range r.events {
		s.killedRun = delivery.RunID(e.Run)
	}
	if r.code > 3 {
		s.fail("without the supervisor: exit %d, want at most 3", r.code)
	}
	s.logf("started again: %s", s.slipway("up").wantExit(0))
	return killed
}

// recoverRun finishes the interrupted run, with --resume or with a new run. Some
// recoveries are killed, too.
func (s *chaosProject) recoverRun(a scenario) (killed int) {
	s.t.Helper()
	for s.rng.IntN(4) == 0 {
		cmd := s.start("run", "--resume", "--json")
		time.Sleep(time.Duration(s.rng.Int64N(int64(600 * time.Millisecond))))
		r := cmd.kill()
		s.loseMachine()
		s.recordProgress(r)
		s.logf("the recovery was killed: %s", r)
		if r.code == 128+int(syscall.SIGKILL) {
			killed++
		}
	}
	if s.rng.IntN(5) == 0 {
		r := s.run()
		s.logf("the next run: %s", r)
		s.recordProgress(r)
		if r.code > 3 {
			s.fail("the next run: exit %d, want at most 3", r.code)
		}
		return killed
	}
	r := s.resume()
	s.logf("resumed: %s", r)
	s.recordProgress(r)
	if r.code == 2 && strings.Contains(r.stderr, "no unfinished run") {
		s.deliverAgain(a)
		return killed
	}
	if r.code != 0 && r.code != 1 && r.code != 3 {
		s.fail("resume: exit %d, want 0, 1 or 3", r.code)
	}
	return killed
}

// resume finishes the run. Where machines share the state, two of them sometimes try to
// at once: what the one that could says is returned.
func (s *chaosProject) resume() result {
	s.t.Helper()
	if s.shared == nil || s.rng.IntN(3) > 0 {
		return s.slipway("run", "--resume", "--json")
	}
	rival := s.start("run", "--resume", "--json")
	r := s.slipway("run", "--resume", "--json")
	other := rival.wait()
	if r.report.Outcome == "" && other.report.Outcome != "" {
		r, other = other, r
	}
	s.logf("resumed on two machines at once; the other one: %s", other)
	return r
}

// deliverAgain starts the delivery again after a kill that came before the run was
// queued or after it had ended, so that the round ends like the others.
func (s *chaosProject) deliverAgain(a scenario) {
	s.t.Helper()
	if len(s.status("prod").Unfinished) > 0 {
		s.fail("status lists an unfinished run, but resume found none")
	}
	if a.name == "slipway rollback" {
		r := s.slipway("rollback", "--env", "prod", "--json")
		s.logf("rolled back again: %s", r)
		if r.code == 2 { // it had rolled back already; the supervisor may have been killed after that
			s.slipway("up").wantExit(0)
		}
		return
	}
	s.logf("ran again: %s", s.run())
}

func (s *chaosProject) killSupervisor() (killed int) {
	s.t.Helper()
	for _, proc := range s.supervisors() {
		s.logf("the supervisor was killed: %s", proc)
		if syscall.Kill(proc.pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}
