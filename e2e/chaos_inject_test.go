//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// strike starts the command and kills it there. It tells whether it was in time.
func (s *siege) strike(ph phase, delay time.Duration, supervisor bool, args []string) bool {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.await(ph.match); !ok {
			s.tell("it ended before it came there: %s", cmd.wait())
			return false
		}
	}
	time.Sleep(delay) // the instant is what the test is about
	r := cmd.kill()
	if supervisor {
		s.killSupervisor()
	}
	s.note(r)
	for _, e := range r.events {
		s.struck = delivery.RunID(e.Run)
	}
	s.tell("killed: %s", r)
	return r.code == 128+int(syscall.SIGKILL)
}

// strikeSupervisor lets the command go on without the supervisor under it. The
// run comes to an end by itself, and everything can be brought back.
func (s *siege) strikeSupervisor(ph phase, delay time.Duration, args []string) (killed int) {
	s.t.Helper()
	cmd := s.start(append(args, "--json")...)
	if ph.match != nil {
		if _, ok := cmd.await(ph.match); !ok {
			s.tell("it ended before it came there: %s", cmd.wait())
			return 0
		}
	}
	time.Sleep(delay) // the instant is what the test is about
	killed = s.killSupervisor()
	r := cmd.wait()
	s.tell("went on without the supervisor: %s", r)
	for _, e := range r.events {
		s.struck = delivery.RunID(e.Run)
	}
	if r.code > 3 {
		s.fail("without the supervisor it ended with exit %d", r.code)
	}
	s.tell("brought back: %s", s.slipway("up").exits(0))
	return killed
}

// recover finishes what was begun, by one of the ways there are; now and then it
// is killed too.
func (s *siege) recover(a attack) (killed int) {
	s.t.Helper()
	for s.rng.IntN(4) == 0 {
		cmd := s.start("run", "--resume", "--json")
		time.Sleep(time.Duration(s.rng.Int64N(int64(600 * time.Millisecond))))
		r := cmd.kill()
		s.note(r)
		s.tell("the recovery was killed: %s", r)
		if r.code == 128+int(syscall.SIGKILL) {
			killed++
		}
	}
	if s.rng.IntN(5) == 0 {
		r := s.run()
		s.tell("the next run: %s", r)
		s.note(r)
		if r.code > 3 {
			s.fail("the next run ended with exit %d", r.code)
		}
		return killed
	}
	r := s.slipway("run", "--resume", "--json")
	s.tell("resumed: %s", r)
	s.note(r)
	if r.code == 2 && strings.Contains(r.stderr, "no unfinished run") {
		s.recoverNothing(a)
		return killed
	}
	if r.code != 0 && r.code != 1 && r.code != 3 {
		s.fail("resuming ended with exit %d", r.code)
	}
	return killed
}

// recoverNothing: the kill came before the run was queued or after it had ended.
// A delivery is asked for again, so that the round ends as every other.
func (s *siege) recoverNothing(a attack) {
	s.t.Helper()
	if len(s.status("prod").Unfinished) > 0 {
		s.fail("there is an unfinished run after all")
	}
	if a.name == "slipway rollback" {
		r := s.slipway("rollback", "--env", "prod", "--json")
		s.tell("rolled back again: %s", r)
		return
	}
	s.tell("ran again: %s", s.run())
}

func (s *siege) killSupervisor() (killed int) {
	s.t.Helper()
	for _, proc := range s.supervisors() {
		s.tell("the supervisor was killed: %s", proc)
		if syscall.Kill(proc.pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}
