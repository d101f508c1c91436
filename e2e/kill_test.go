//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
)

// kills is how many processes each of the two sieges kills at the least.
const kills = 60

// attack is one sort of round: what is under way, where it is struck, and how
// it must end in spite of that.
type attack struct {
	name    string
	weight  int
	prepare func(s *siege) (args []string)
	phases  []phase
	ends    []delivery.Outcome
	users   bool // ask all the time, and lose nothing
}

// phase is where a kill strikes: within span after the first such event.
type phase struct {
	name  string
	span  time.Duration
	match func(happening) bool // nil: the start of the process
}

func at(step string, span time.Duration) phase {
	return phase{step, span, func(e happening) bool { return e.Kind == "step.started" && e.Step == step }}
}

var (
	beginning = phase{"beginning", 400 * time.Millisecond, nil}
	undoing   = phase{"undo", 400 * time.Millisecond, func(e happening) bool {
		return e.Kind == "step.started" && strings.Contains(e.Step, "rollback")
	}}
)

var attacks = []attack{
	{"a good release", 4, (*siege).goodRelease, []phase{beginning, at("deploy", 500*time.Millisecond), at("deploy", 500*time.Millisecond),
		at("verify", 250*time.Millisecond), at("watch", 350*time.Millisecond)}, []delivery.Outcome{delivery.Deployed}, true},
	{"a bad release", 3, (*siege).badRelease, []phase{at("deploy", 500*time.Millisecond), undoing}, []delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"a release that only users can judge", 2, (*siege).flakyRelease, []phase{at("watch", 350*time.Millisecond), undoing}, []delivery.Outcome{delivery.OutcomeRolledBack}, false},
	{"slipway rollback", 3, (*siege).goBack, []phase{beginning, undoing, undoing, at("verify", 250*time.Millisecond)}, []delivery.Outcome{delivery.Deployed}, true},
	{"a training", 2, (*siege).newModel, []phase{at("train", 500*time.Millisecond), at("evaluate", 200*time.Millisecond), at("register", 100*time.Millisecond)}, []delivery.Outcome{delivery.Deployed}, true},
}

// TestKill kills slipway at random instants of deploys and rollbacks, and its
// supervisor now and then. SLIPWAY_E2E_SEED makes the same choices again.
func TestKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SLIPWAY_E2E_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SLIPWAY_E2E_SEED=%q: %v", text, err)
		}
		seed = n
	}
	for i := range 2 {
		t.Run(fmt.Sprint("siege", i), func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d makes the same choices again", seed)
			besiege(t, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

func besiege(t *testing.T, rng *rand.Rand) {
	s := &siege{project: tiny(t), rng: rng, seen: map[delivery.RunID]bool{}, done: map[string]record.StepRecord{}}
	s.run().wants(0, "deployed")
	s.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "first"`)
	s.commit("something to go back to")
	s.run().wants(0, "deployed")
	start, killed, of := time.Now(), 0, map[string]int{}
	for killed < kills {
		if s.round++; s.round > 3*kills {
			t.Fatalf("%d rounds, and only %d kills: the phases pass too quickly", s.round, killed)
		}
		a := s.choose()
		n := s.play(a)
		killed += n
		of[a.name] += n
	}
	t.Logf("%d kills in %d rounds, %.1f s a round: %v", killed, s.round, time.Since(start).Seconds()/float64(s.round), of)
}

func (s *siege) choose() attack {
	total := 0
	for _, a := range attacks {
		total += a.weight
	}
	n := s.rng.IntN(total)
	for _, a := range attacks {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("weights do not add up")
}

// play is one round: begin something, kill, recover, look. It returns how many
// processes it killed.
func (s *siege) play(a attack) int {
	s.t.Helper()
	s.tale, s.struck = nil, ""
	ph := a.phases[s.rng.IntN(len(a.phases))]
	delay := time.Duration(s.rng.Int64N(int64(ph.span)))
	supervisor := s.rng.IntN(10) == 0
	s.tell("%s, struck %v after %s (supervisor too: %v)", a.name, delay, ph.name, supervisor)
	args := a.prepare(s)
	u := startUsers(s.status("prod").URL, 25)
	killed := 0
	if s.strike(ph, delay, supervisor, args) {
		killed++
	}
	killed += s.recover(a)
	asked, failures := u.leave()
	if a.users && !supervisor && (len(failures) > 0 || asked == 0) {
		s.fail("users lost %d of %d requests: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	ends := a.ends
	if supervisor { // its death is an outage, which verification may blame on the release
		ends = []delivery.Outcome{delivery.Deployed, delivery.OutcomeRolledBack}
	}
	s.peace(ends...)
	return killed
}

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

func (s *siege) killSupervisor() {
	s.t.Helper()
	for _, proc := range s.supervisors() {
		s.tell("the supervisor was killed: %s", proc)
		_ = syscall.Kill(proc.pid, syscall.SIGKILL)
	}
}

var deliver = []string{"run", "--env", "prod"}

// deployWith changes nothing but the environment of the service: no build, no
// training, so that a round is short.
func (s *siege) deployWith(behaviour string) []string {
	s.t.Helper()
	text := s.read(s.dir + "/slipway.yaml")
	before, rest, _ := strings.Cut(text, "env: {ROUND:")
	_, after, ok := strings.Cut(rest, ", E2E_BASE:")
	if !ok {
		s.fail("slipway.yaml has no environment to change")
	}
	s.write("slipway.yaml", fmt.Sprintf("%senv: {ROUND: \"%d\", TINY_BEHAVIOUR: %s, E2E_BASE:%s", before, s.round, behaviour, after))
	s.commit(fmt.Sprintf("round %d: %s", s.round, behaviour))
	return deliver
}

func (s *siege) goodRelease() []string  { return s.deployWith("good") }
func (s *siege) badRelease() []string   { return s.deployWith("predict fails") }
func (s *siege) flakyRelease() []string { return s.deployWith("even numbers fail") }

func (s *siege) goBack() []string {
	return []string{"rollback", "--env", "prod", "--why", fmt.Sprint("round ", s.round)}
}

func (s *siege) newModel() []string {
	s.t.Helper()
	s.write("weights.txt", fmt.Sprintf("accuracy=0.9%03d\nseconds=0.3\n", s.round))
	return s.goodRelease()
}
