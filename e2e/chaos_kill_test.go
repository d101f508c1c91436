//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
)

// kills is how many processes each of the two sieges kills at the least;
// SLIPWAY_E2E_KILLS asks for another number.
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
	beginning = phase{"beginning", 300 * time.Millisecond, nil}
	deploying = at("deploy", 300*time.Millisecond)
	verifying = at("verify", 120*time.Millisecond)
	watching  = at("watch", 250*time.Millisecond)
	undoing   = phase{"rollback", 200 * time.Millisecond, func(e happening) bool {
		return e.Kind == "step.started" && strings.HasPrefix(e.Step, "rollback")
	}}
)

var attacks = []attack{
	{"a good release", 5, (*siege).goodRelease, []phase{beginning, deploying, deploying, verifying, watching},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a bad release", 3, (*siege).badRelease, []phase{deploying, undoing},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"a release that only users can judge", 3, (*siege).flakyRelease, []phase{deploying, watching, undoing},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, false},
	{"slipway rollback", 3, (*siege).goBack, []phase{beginning, undoing, undoing, verifying},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a training", 1, (*siege).newModel, []phase{at("train", 500*time.Millisecond), at("evaluate", 150*time.Millisecond), at("register", 50*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
}

// TestKill kills slipway at random instants of deploys and rollbacks, and its
// supervisor now and then. SLIPWAY_E2E_SEED makes the same choices again.
func TestKill(t *testing.T) {
	seed := number(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(number(t, "SLIPWAY_E2E_KILLS", kills))
	for i := range 2 {
		t.Run(fmt.Sprint("siege", i), func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d makes the same choices again", seed)
			besiege(t, kills, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

// number is what the environment says, or else the default.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return n
}

func besiege(t *testing.T, kills int, rng *rand.Rand) {
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
		where, n := s.play(a)
		killed += n
		of[a.name+", "+where] += n
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

// play is one round: begin something, kill, recover, look. It returns where it
// struck, and how many processes it killed.
func (s *siege) play(a attack) (where string, killed int) {
	s.t.Helper()
	s.tale, s.struck = nil, ""
	ph := a.phases[s.rng.IntN(len(a.phases))]
	delay := time.Duration(s.rng.Int64N(int64(ph.span)))
	supervisor := s.rng.IntN(10) == 0
	alone := s.rng.IntN(12) == 0
	s.tell("%s, struck %v after %s (supervisor too: %v, or alone: %v)", a.name, delay, ph.name, supervisor, alone)
	args := a.prepare(s)
	u := startUsers(s.status("prod").URL, 25)
	ends := a.ends
	switch {
	case alone:
		killed = s.strikeSupervisor(ph, delay, args)
		ends = []delivery.Outcome{delivery.OutcomeDeployed, delivery.OutcomeRolledBack, delivery.OutcomeFailed}
	case s.strike(ph, delay, supervisor, args):
		killed = 1 + s.recover(a)
	default:
		killed = s.recover(a)
	}
	asked, failures := u.leave()
	if a.users && !supervisor && !alone && (len(failures) > 0 || asked == 0) {
		s.fail("users lost %d of %d requests: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	if supervisor && !alone { // its death is an outage, which verification may blame on the release
		ends = []delivery.Outcome{delivery.OutcomeDeployed, delivery.OutcomeRolledBack}
	}
	s.peace(ends...)
	return ph.name, killed
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
