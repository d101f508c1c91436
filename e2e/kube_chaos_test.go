//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/cluster"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
)

// kubeKills is the minimum number of kills in each chaos test in a cluster, unless
// SLIPWAY_E2E_KUBE_KILLS is set.
const kubeKills = 10

// kubeScenarios interrupt deploys and rollbacks in a cluster, which take seconds.
var kubeScenarios = []scenario{
	{"a good release", 4, (*chaosProject).goodRelease, []killPoint{duringStep("deploy", 4*time.Second), duringStep("deploy", time.Second), duringStep("verify", 150*time.Millisecond), duringStep("watch", 600*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a release that fails its smoke check", 3, (*chaosProject).badRelease, []killPoint{duringStep("deploy", 3*time.Second), slowUndo},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"a release that crashes", 2, (*chaosProject).crashingRelease, []killPoint{duringStep("deploy", 3*time.Second), slowUndo},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"slipway rollback", 3, (*chaosProject).rollBack, []killPoint{slowUndo, slowUndo, duringStep("verify", 150*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
}

var slowUndo = killPoint{duringRollback.name, 2 * time.Second, duringRollback.match}

func (s *chaosProject) crashingRelease() []string { return s.deployBehaviour("crashes") }

// kubeChaos is a chaos test of a service in a cluster.
type kubeChaos struct {
	*chaosProject
	*clusterProject
	url string
}

// Kills slipway at random moments of deploys and rollbacks in a cluster: in the end,
// exactly one recorded release is running, and no request fails.
func TestKubeKill(t *testing.T) {
	t.Parallel()
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(envNumber(t, "SLIPWAY_E2E_KUBE_KILLS", kubeKills))
	for i, strategy := range []string{"rolling", "blue_green"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
			s := newKubeChaos(t, strategy, rand.New(rand.NewPCG(seed, uint64(i))))
			killed := 0
			for killed < kills {
				if s.round++; s.round > 3*kills {
					t.Fatalf("only %d kills in %d rounds: the phases are too short", killed, s.round)
				}
				killed += s.runRound(kubeScenarios[s.rng.IntN(len(kubeScenarios))], nil)
			}
			t.Logf("%d kills in %d rounds", killed, s.round)
		})
	}
}

// Restarts the API server in the middle of deploys and rollbacks, which continue.
func TestKubeAPIServer(t *testing.T) {
	c := requireCluster(t)
	if err := c.StartAPIServer(t.Context()); errors.Is(err, cluster.ErrUnsupported) {
		t.Skipf("the API server cannot be restarted: %v", err)
	}
	seed := envNumber(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	s := newKubeChaos(t, "rolling", rand.New(rand.NewPCG(seed, 7)))
	for _, a := range kubeScenarios {
		s.round++
		s.runRound(a, func() error { return c.RestartAPIServer(context.WithoutCancel(t.Context())) })
	}
}

func newKubeChaos(t *testing.T, strategy string, rng *rand.Rand) *kubeChaos {
	p := newTinyProject(t)
	h := newClusterProject(t, p)
	h.edit("slipway.yaml", "deploy:\n", "deploy:\n  strategy: "+strategy+"\n")
	// Longer than a restart of the API server takes: requests go through it.
	h.edit("slipway.yaml", "within: 5s", "within: 30s")
	h.commit("deploy to the cluster")
	s := &kubeChaos{chaosProject: &chaosProject{project: p, rng: rng, knownRuns: map[delivery.RunID]bool{}, completedSteps: map[string]record.StepRecord{}}, clusterProject: h}
	p.run().wantRun(0, "deployed")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "first"`)
	p.commit("a release to roll back to")
	p.run().wantRun(0, "deployed")
	s.url = h.serviceURL("tiny")
	return s
}

// runRound is one round: start a command, interrupt it, recover, and check. Without
// disrupt it kills slipway.
func (s *kubeChaos) runRound(a scenario, disrupt func() error) (killed int) {
	t := s.chaosProject.t
	t.Helper()
	s.journal, s.killedRun = nil, ""
	ph := a.killPoints[s.rng.IntN(len(a.killPoints))]
	delay := time.Duration(s.rng.Int64N(int64(ph.window)))
	s.logf("%s, interrupted %v after %s", a.name, delay, ph.name)
	args := a.prepare(s.chaosProject)
	u := startLoad(s.url, 20)
	switch {
	case disrupt != nil:
		s.disruptDuring(ph, delay, args, disrupt)
	case s.runAndKill(ph, delay, false, args):
		killed = 1 + s.recoverRun(a)
	default:
		killed = s.recoverRun(a)
	}
	asked, failures := u.stopAndCount()
	if disrupt != nil {
		// While the API server is down, nodes get no updates: a switch at that moment
		// can fail requests, whoever makes it.
		t.Logf("%s: %d of %d requests failed", a.name, len(failures), asked)
	} else if len(failures) > 0 || asked == 0 {
		s.fail("%d of %d requests failed: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	s.checkCluster(a.outcomes)
	return killed
}

// disruptDuring disrupts something else while the command keeps running.
func (s *kubeChaos) disruptDuring(ph killPoint, delay time.Duration, args []string, disrupt func() error) {
	p := s.chaosProject.project
	p.t.Helper()
	cmd := p.start(append(args, "--json")...)
	if _, ok := cmd.waitForEvent(ph.match); ok {
		time.Sleep(delay) // a random moment
		p.must(disrupt())
	}
	r := cmd.wait()
	s.logf("the command continued: %s", r)
	for _, e := range r.events {
		s.killedRun = delivery.RunID(e.Run)
	}
	if r.code > 3 {
		s.fail("exit code %d, want at most 3", r.code)
	}
}

// checkCluster checks that one recorded release is running, and nothing of any other.
func (s *kubeChaos) checkCluster(want []delivery.Outcome) {
	s.chaosProject.t.Helper()
	serving := s.wantAllEnded(want)
	s.wantWholeEvents()
	// A node that has lost the API server for a moment sends requests to terminating
	// pods until it learns of the switch: they respond, and then the new ones do.
	var id identity
	var err error
	answers := func() bool {
		id, err = s.chaosProject.health(s.url)
		return err == nil && id.Release == string(serving)
	}
	if !s.chaosProject.eventually(10*time.Second, answers) {
		s.fail("the service reports %+v (%v), want the release of the records, %s", id, err, serving)
	}
	if got := s.kubectlIn("get", "service", "tiny", "-o", `jsonpath={.spec.selector.slipway\.dev/release}`); got != string(serving) {
		s.fail("the Service selects %q, want %s", got, serving)
	}
	if got := s.kubectlIn("get", "deployment", "tiny", "-o", `jsonpath={.metadata.annotations.slipway\.dev/held} {.spec.minReadySeconds}`); strings.TrimSpace(got) != "" {
		s.fail("the rollout is on hold: %s", got)
	}
	otherPods := func() []string {
		var found []string
		for _, line := range strings.Split(s.kubectlIn("get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.slipway\.dev/release} {.metadata.deletionTimestamp}{"\n"}{end}`), "\n") {
			if f := strings.Fields(line); len(f) == 2 && f[1] != string(serving) {
				found = append(found, line)
			}
		}
		return found
	}
	if !s.chaosProject.eventually(5*time.Second, func() bool { return len(otherPods()) == 0 }) {
		s.fail("pods of other releases than %s: %v\n%s", serving, otherPods(), fmt.Sprint(s.kubectlIn("get", "all")))
	}
}
