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

// kubeKills is how many processes each of the sieges in a cluster kills at the
// least; SLIPWAY_E2E_KUBE_KILLS asks for another number.
const kubeKills = 25

// kubeAttacks strike deploys and rollbacks in a cluster, which take seconds.
var kubeAttacks = []attack{
	{"a good release", 4, (*siege).goodRelease, []phase{at("deploy", 4*time.Second), at("deploy", time.Second), at("verify", 150*time.Millisecond), at("watch", 600*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
	{"a release that fails its smoke check", 3, (*siege).badRelease, []phase{at("deploy", 3*time.Second), slowUndo},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"a release that crashes", 2, (*siege).crashingRelease, []phase{at("deploy", 3*time.Second), slowUndo},
		[]delivery.Outcome{delivery.OutcomeRolledBack}, true},
	{"slipway rollback", 3, (*siege).goBack, []phase{slowUndo, slowUndo, at("verify", 150*time.Millisecond)},
		[]delivery.Outcome{delivery.OutcomeDeployed}, true},
}

var slowUndo = phase{undoing.name, 2 * time.Second, undoing.match}

func (s *siege) crashingRelease() []string { return s.deployWith("crashes") }

// kubeSiege is a siege of a service in a cluster.
type kubeSiege struct {
	*siege
	*harbour
	url string
}

// TestKubeKill kills slipway at random instants of deploys and rollbacks in a
// cluster: always one recorded release serves in the end, alone, and no user ever
// notices.
func TestKubeKill(t *testing.T) {
	seed := number(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	kills := int(number(t, "SLIPWAY_E2E_KUBE_KILLS", kubeKills))
	for i, strategy := range []string{"rolling", "blue_green"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			t.Logf("SLIPWAY_E2E_SEED=%d makes the same choices again", seed)
			s := besiegeCluster(t, strategy, rand.New(rand.NewPCG(seed, uint64(i))))
			killed := 0
			for killed < kills {
				if s.round++; s.round > 3*kills {
					t.Fatalf("%d rounds, and only %d kills: the phases pass too quickly", s.round, killed)
				}
				killed += s.playInCluster(kubeAttacks[s.rng.IntN(len(kubeAttacks))], nil)
			}
			t.Logf("%d kills in %d rounds", killed, s.round)
		})
	}
}

// TestKubeAPIServer restarts the API server in the middle of deploys and
// rollbacks: they go on.
func TestKubeAPIServer(t *testing.T) {
	c := kube(t)
	if err := c.StartAPIServer(t.Context()); errors.Is(err, cluster.ErrUnsupported) {
		t.Skipf("the API server is not ours to restart: %v", err)
	}
	seed := number(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	s := besiegeCluster(t, "rolling", rand.New(rand.NewPCG(seed, 7)))
	for _, a := range kubeAttacks {
		s.round++
		s.playInCluster(a, func() error { return c.RestartAPIServer(context.WithoutCancel(t.Context())) })
	}
}

func besiegeCluster(t *testing.T, strategy string, rng *rand.Rand) *kubeSiege {
	p := tiny(t)
	h := inCluster(t, p)
	h.edit("slipway.yaml", "deploy:\n", "deploy:\n  strategy: "+strategy+"\n")
	// Longer than an API server is away that restarts: it is asked through it.
	h.edit("slipway.yaml", "within: 5s", "within: 30s")
	h.commit("to the cluster")
	s := &kubeSiege{siege: &siege{project: p, rng: rng, seen: map[delivery.RunID]bool{}, done: map[string]record.StepRecord{}}, harbour: h}
	p.run().wants(0, "deployed")
	p.edit("slipway.yaml", `ROUND: "0"`, `ROUND: "first"`)
	p.commit("something to go back to")
	p.run().wants(0, "deployed")
	s.url = h.reach("tiny")
	return s
}

// playInCluster is one round: begin something, strike, recover, look. Without a
// blow of its own it kills slipway.
func (s *kubeSiege) playInCluster(a attack, blow func() error) (killed int) {
	t := s.siege.t
	t.Helper()
	s.tale, s.struck = nil, ""
	ph := a.phases[s.rng.IntN(len(a.phases))]
	delay := time.Duration(s.rng.Int64N(int64(ph.span)))
	s.tell("%s, struck %v after %s", a.name, delay, ph.name)
	args := a.prepare(s.siege)
	u := startUsers(s.url, 20)
	switch {
	case blow != nil:
		s.blow(ph, delay, args, blow)
	case s.strike(ph, delay, false, args):
		killed = 1 + s.recover(a)
	default:
		killed = s.recover(a)
	}
	asked, failures := u.leave()
	if blow != nil {
		// While the API server is away no node hears of anything: a switch in that
		// moment can cost requests, whoever makes it.
		t.Logf("%s: users lost %d of %d requests", a.name, len(failures), asked)
	} else if len(failures) > 0 || asked == 0 {
		s.fail("users lost %d of %d requests: %q", len(failures), asked, failures[:min(3, len(failures))])
	}
	s.peaceInCluster(a.ends)
	return killed
}

// blow lets the command go on while something else breaks.
func (s *kubeSiege) blow(ph phase, delay time.Duration, args []string, blow func() error) {
	p := s.siege.project
	p.t.Helper()
	cmd := p.start(append(args, "--json")...)
	if _, ok := cmd.await(ph.match); ok {
		time.Sleep(delay) // the instant is what the test is about
		p.must(blow())
	}
	r := cmd.wait()
	s.tell("it went on: %s", r)
	for _, e := range r.events {
		s.struck = delivery.RunID(e.Run)
	}
	if r.code > 3 {
		s.fail("it ended with exit %d", r.code)
	}
}

// peaceInCluster: one recorded release serves, and nothing of another is there.
func (s *kubeSiege) peaceInCluster(want []delivery.Outcome) {
	s.siege.t.Helper()
	serving := s.over(want)
	s.wholeEvents()
	// A node that has lost the API server for a moment sends users to pods that
	// linger until it hears of the switch: they answer, and then the others do.
	var id identity
	var err error
	answers := func() bool {
		id, err = s.siege.health(s.url)
		return err == nil && id.Release == string(serving)
	}
	if !s.siege.settle(10*time.Second, answers) {
		s.fail("the service answers as %+v (%v), the records say %s", id, err, serving)
	}
	if got := s.in("get", "service", "tiny", "-o", `jsonpath={.spec.selector.slipway\.dev/release}`); got != string(serving) {
		s.fail("the Service selects %q, %s serves", got, serving)
	}
	if got := s.in("get", "deployment", "tiny", "-o", `jsonpath={.metadata.annotations.slipway\.dev/held} {.spec.minReadySeconds}`); strings.TrimSpace(got) != "" {
		s.fail("the brake is on: %s", got)
	}
	strange := func() []string {
		var found []string
		for _, line := range strings.Split(s.in("get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.slipway\.dev/release} {.metadata.deletionTimestamp}{"\n"}{end}`), "\n") {
			if f := strings.Fields(line); len(f) == 2 && f[1] != string(serving) {
				found = append(found, line)
			}
		}
		return found
	}
	if !s.siege.settle(5*time.Second, func() bool { return len(strange()) == 0 }) {
		s.fail("pods of others than %s are left: %v\n%s", serving, strange(), fmt.Sprint(s.in("get", "all")))
	}
}
