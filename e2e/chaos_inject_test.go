//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// runAndKill starts the command and kills it there. It tells whether it was in time.
func (s *chaosProject) runAndKill(ph killPoint, delay time.Duration, supervisor bool, args []string) bool {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.waitForEvent(ph.match); !ok {
			s.logf("it ended before it came there: %s", cmd.wait())
			return false
		}
	}
	time.Sleep(delay) // the instant is what the test is about
	r := cmd.kill()
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

// runAndKillSupervisor lets the command go on without the supervisor under it. The
// run comes to an end by itself, and everything can be brought back.
func (s *chaosProject) runAndKillSupervisor(ph killPoint, delay time.Duration, args []string) (killed int) {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.waitForEvent(ph.match); !ok {
			s.logf("it ended before it came there: %s", cmd.wait())
			return 0
		}
	}
	time.Sleep(delay) // the instant is what the test is about
	killed = s.killSupervisor()
	r := cmd.wait()
	s.logf("went on without the supervisor: %s", r)
	for _, e := range r.events {
		s.killedRun = delivery.RunID(e.Run)
	}
	if r.code > 3 {
		s.fail("without the supervisor it ended with exit %d", r.code)
	}
	s.logf("brought back: %s", s.slipway("up").wantExit(0))
	return killed
}

// recoverRun finishes what was begun, by one of the ways there are; now and then it
// is killed too.
func (s *chaosProject) recoverRun(a scenario) (killed int) {
	s.t.Helper()
	for s.rng.IntN(4) == 0 {
		cmd := s.start("run", "--resume", "--json")
		time.Sleep(time.Duration(s.rng.Int64N(int64(600 * time.Millisecond))))
		r := cmd.kill()
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
			s.fail("the next run ended with exit %d", r.code)
		}
		return killed
	}
	r := s.slipway("run", "--resume", "--json")
	s.logf("resumed: %s", r)
	s.recordProgress(r)
	if r.code == 2 && strings.Contains(r.stderr, "no unfinished run") {
		s.deliverAgain(a)
		return killed
	}
	if r.code != 0 && r.code != 1 && r.code != 3 {
		s.fail("resuming ended with exit %d", r.code)
	}
	return killed
}

// deliverAgain: the kill came before the run was queued or after it had ended.
// A delivery is asked for again, so that the round ends as every other.
func (s *chaosProject) deliverAgain(a scenario) {
	s.t.Helper()
	if len(s.status("prod").Unfinished) > 0 {
		s.fail("there is an unfinished run after all")
	}
	if a.name == "slipway rollback" {
		r := s.slipway("rollback", "--env", "prod", "--json")
		s.logf("rolled back again: %s", r)
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
