//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
)

// minKills is the minimum number of kills in each of the two chaos projects, unless
// SLIPWAY_E2E_KILLS is set (`make soak` uses 200).
const minKills = 20

// scenario is a kind of round: the command to kill, where to kill it, and the
// outcomes that its run may have nevertheless.
type scenario struct {
	name       string
	weight     int
	prepare    func(s *chaosProject) (args []string)
	killPoints []killPoint
	outcomes   []delivery.Outcome
	underLoad  bool // constant load, of which no request may fail
}

// killPoint is a moment to kill a process: at random within window after the first
// event that matches.
type killPoint struct {
	name   string
	window time.Duration
	match  func(runEvent) bool // nil: the start of the process
}

func duringStep(step string, span time.Duration) killPoint {
	return killPoint{step, span, func(e runEvent) bool { return e.Kind == "step.started" && e.Step == step }}
}

var (
	atStart        = killPoint{"beginning", 300 * time.Millisecond, nil}
	duringDeploy   = duringStep("deploy", 300*time.Millisecond)
	duringVerify   = duringStep("verify", 120*time.Millisecond)
	duringWatch    = duringStep("watch", 250*time.Millisecond)
	duringRollback = killPoint{"rollback", 200 * time.Millisecond, func(e runEvent) bool {
		return e.Kind == "step.started" && strings.HasPrefix(e.Step, "rollback")
	}}
)

var scenarios = []scenario{
	{"a good release", 5, (*chaosProject).goodRelease, []killPoint{atStart, duringDeploy, duringDeploy, duringVerify, duringWatch},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a bad release", 3, (*chaosProject).badRelease, []killPoint{duringDeploy, duringRollback},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"a release that only users can judge", 3, (*chaosProject).flakyRelease, []killPoint{duringDeploy, duringWatch, duringRollback},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, false},
	{"slipway rollback", 3, (*chaosProject).rollBack, []killPoint{atStart, duringRollback, duringRollback, duringVerify},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a new model", 1, (*chaosProject).newModel, []killPoint{duringStep("train", 500*time.Millisecond), duringStep("evaluate", 150*time.Millisecond), duringStep("register", 50*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
}

// Kills slipway at random moments of deploys and rollbacks, and sometimes its
// supervisor. SLIPWAY_E2E_SEED repeats the choices of an earlier run.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(envNumber(t, "SLIPWAY_E2E_KILLS", minKills))
	for i := range 2 {
		t.Run(fmt.Sprint("project", i), func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
			runChaos(t, kills, rand.New(rand.NewPCG(seed, uint64(i))))
		})
	}
}

// envNumber returns the number in the variable, or the default if it is not set.
func envNumber(t *testing.T, name string, fallback uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return n
}

func runChaos(t *testing.T, kills int, rng *rand.Rand) {
	s := &chaosProject{project: newTinyProject(t), rng: rng, knownRuns: map[delivery.RunID]bool{}, completedSteps: map[string]record.StepRecord{}}
	s.run().wantRun(0, "deployed")
	s.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "first"`)
	s.commit("a release to roll back to")
	s.run().wantRun(0, "deployed")
	start, killed, of := time.Now(), 0, map[string]int{}
	for killed < kills {
		if s.round++; s.round > 3*kills {
			t.Fatalf("only %d kills in %d rounds: the phases are too short", killed, s.round)
		}
		a := chooseScenario(s.rng, scenarios)
		where, n := s.killAndRecover(a)
		killed += n
		of[a.name+", "+where] += n
	}
	t.Logf("%d kills in %d rounds, %.1f s a round: %v", killed, s.round, time.Since(start).Seconds()/float64(s.round), of)
}

// chooseScenario chooses one of them, by its weight.
func chooseScenario(rng *rand.Rand, from []scenario) scenario {
	total := 0
	for _, a := range from {
		total += a.weight
	}
	n := rng.IntN(total)
	for _, a := range from {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("weights do not add up")
}

// killAndRecover is one round: start a command, kill it, recover, and check. It returns
// the kill point, and how many processes were killed.
func (s *chaosProject) killAndRecover(a scenario) (where string, killed int) {
	s.t.Helper()
	s.journal, s.killedRun = nil, ""
	ph := a.killPoints[s.rng.IntN(len(a.killPoints))]
	delay := time.Duration(s.rng.Int64N(int64(ph.window)))
	supervisor := s.rng.IntN(10) == 0
	alone := s.rng.IntN(12) == 0
	s.logf("%s, killed %v after %s (with the supervisor: %v, or only that: %v)", a.name, delay, ph.name, supervisor, alone)
	args := a.prepare(s)
	u := startLoad(s.status("prod").URL, 25)
	ends := a.outcomes
	switch {
	case alone:
		killed = s.runAndKillSupervisor(ph, delay, args)
		ends = []delivery.Outcome{delivery.OutcomeDeployed, delivery.OutcomeRolledBack, delivery.OutcomeFailed}
	case s.runAndKill(ph, delay, supervisor, args):
		killed = 1 + s.recoverRun(a)
	default:
		killed = s.recoverRun(a)
	}
	asked, failures := u.stopAndCount()
	if a.underLoad && !supervisor && !alone && (len(failures) > 0 || asked == 0) {
		s.fail("%d of %d requests failed, want 0: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	if supervisor && !alone { // its death is an outage, for which verification may fail the release
		ends = []delivery.Outcome{delivery.OutcomeDeployed, delivery.OutcomeRolledBack}
	}
	s.wantConsistent(ends...)
	s.leaveFlaky()
	return ph.name, killed
}

// leaveFlaky leaves, as a person would, what only users can judge and may not have been
// judged because the supervisor's death kept them out: it rolls back what was accepted,
// and changes the commit. Otherwise a later round would start from it, roll back to it,
// or run it after a rollback, and count its failures.
func (s *chaosProject) leaveFlaky() {
	s.t.Helper()
	if !strings.Contains(s.read(s.dir+"/slipway.yaml"), flaky) {
		return
	}
	if status, _ := predict(s.status("prod").URL, 2); status == http.StatusInternalServerError {
		s.slipway("rollback", "--env", "prod", "--why", flaky).wantExit(0)
	}
	s.goodRelease()
}

// flaky is the behaviour that every probe accepts and half of the users' requests fail.
const flaky = "even numbers fail"

var runArgs = []string{"run", "--env", "prod"}

// deployBehaviour changes only the environment of the service. That needs neither build
// nor training, so a round is short.
func (s *chaosProject) deployBehaviour(behaviour string) []string {
	s.t.Helper()
	text := s.read(s.dir + "/slipway.yaml")
	before, rest, _ := strings.Cut(text, "env: {ROUND:")
	_, after, ok := strings.Cut(rest, ", E2E_BASE:")
	if !ok {
		s.fail("slipway.yaml has no environment to change")
	}
	s.write("slipway.yaml", fmt.Sprintf("%senv: {ROUND: \"%d\", TINY_BEHAVIOUR: %s, E2E_BASE:%s", before, s.round, behaviour, after))
	s.commit(fmt.Sprintf("round %d: %s", s.round, behaviour))
	return runArgs
}

func (s *chaosProject) goodRelease() []string  { return s.deployBehaviour("good") }
func (s *chaosProject) badRelease() []string   { return s.deployBehaviour("predict fails") }
func (s *chaosProject) flakyRelease() []string { return s.deployBehaviour(flaky) }

func (s *chaosProject) rollBack() []string {
	return []string{"rollback", "--env", "prod", "--why", fmt.Sprint("round ", s.round)}
}

func (s *chaosProject) newModel() []string {
	s.t.Helper()
	s.write("weights.txt", fmt.Sprintf("accuracy=0.9%03d\nseconds=0.3\n", s.round))
	return s.goodRelease()
}
