//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/step"
)

// stateKills is the minimum number of kills for each driver, unless
// SLIPWAY_E2E_STATE_KILLS is set (`make soak` uses 200).
const stateKills = 10

// stateScenarios interrupt deliveries whose successor is on another machine.
var stateScenarios = []scenario{
	{"a good release", 4, (*chaosProject).goodRelease, []killPoint{atStart, duringStep("deploy", 4*time.Second), duringStep("deploy", time.Second), duringStep("verify", 150*time.Millisecond), duringStep("watch", 600*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a release that fails its smoke check", 2, (*chaosProject).badRelease, []killPoint{duringStep("deploy", 3*time.Second), slowUndo},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"slipway rollback", 2, (*chaosProject).rollBack, []killPoint{slowUndo, slowUndo, duringStep("verify", 150*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a new model", 2, (*chaosProject).newModel, []killPoint{duringStep("train", 500*time.Millisecond), duringStep("evaluate", 150*time.Millisecond), duringStep("register", 100*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
}

// Kills slipway at random moments, and whatever comes next happens on another machine:
// no run is lost, no completed step runs again, no model number is given twice, and one
// release serves.
func TestState_Kill(t *testing.T) {
	t.Parallel()
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(envNumber(t, "SLIPWAY_E2E_STATE_KILLS", stateKills))
	eachDriver(t, func(t *testing.T, driver string) {
		t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
		s := newStateChaos(t, driver, rand.New(rand.NewPCG(seed, uint64(len(driver)))))
		begun, killed, of := time.Now(), 0, map[string]int{}
		for killed < kills {
			if s.round++; s.round > 3*kills {
				t.Fatalf("only %d kills in %d rounds: the phases are too short", killed, s.round)
			}
			a := chooseScenario(s.rng, stateScenarios)
			n := s.runRound(a, nil)
			s.wantModelNumbers()
			killed += n
			of[a.name] += n
		}
		s.shared.wantVerified()
		t.Attr("kills", strconv.Itoa(killed))
		t.Logf("%d kills in %d rounds on %d machines, %.1f s a round: %v", killed, s.round, s.shared.machines.number, time.Since(begun).Seconds()/float64(s.round), of)
	})
}

func newStateChaos(t *testing.T, driver string, rng *rand.Rand) *kubeChaos {
	p := newStateProject(t, driver)
	s := &kubeChaos{chaosProject: &chaosProject{project: p.project, rng: rng, knownRuns: map[delivery.RunID]bool{}, completedSteps: map[string]record.StepRecord{}, shared: p}, clusterProject: p.clusterProject}
	p.run().wantRun(0, "deployed")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "first"`)
	p.commit("a release to roll back to")
	p.run().wantRun(0, "deployed")
	s.url = p.serviceURL("tiny")
	return s
}

// wantModelNumbers checks that each version of the model is one model, and each model
// one version, whatever the steps of all runs reported.
func (s *kubeChaos) wantModelNumbers() {
	s.chaosProject.t.Helper()
	s.records(func(ctx context.Context, store *sqlite.Store) error {
		models, err := port.Collect(port.AllModels(ctx, store.Models(), port.ModelFilter{Group: "tiny-models"}))
		if err != nil {
			return err
		}
		versions := map[delivery.Digest]int{}
		for _, m := range models {
			if other, ok := versions[m.Digest]; ok || m.Version < 1 || m.Version > len(models) {
				s.fail("model %s of %d is also version %d, want each model once, without gaps", m.ModelRef, len(models), other)
			}
			versions[m.Digest] = m.Version
		}
		runs, err := port.Collect(record.AllRuns(ctx, store.Runs(), ""))
		for _, run := range runs {
			if err := s.checkRegistered(ctx, store, run.ID, versions); err != nil {
				return err
			}
		}
		return err
	})
}

func (s *kubeChaos) checkRegistered(ctx context.Context, store *sqlite.Store, run delivery.RunID, versions map[delivery.Digest]int) error {
	s.chaosProject.t.Helper()
	steps, err := store.Runs().ListSteps(ctx, run)
	for _, st := range steps {
		if st.Kind != step.Register || st.Result == nil || st.Result.Outcome != delivery.OutcomeSucceeded {
			continue
		}
		var out step.RegisterOutput
		if err := json.Unmarshal(st.Result.Output, &out); err != nil {
			return err
		}
		if versions[out.Model.Digest] != out.Model.Version {
			s.fail("run %s registered %s, but the registry has that model as version %d", run, out.Model, versions[out.Model.Digest])
		}
	}
	return err
}
