//go:build e2e

package kubernetes_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/randommanifests"
)

const (
	randomSets     = 10 // in the gate; SLIPWAY_E2E_SETS asks for another number: 200 in the soak
	randomParallel = 5  // sets at a time: they mostly wait for pods
	randomReleases = 3  // after the first one of each set
)

// TestTargets_RandomManifests deploys sequences of releases that differ as people's
// manifests do, some of them broken, while the cluster and the program are disturbed.
// Every call ends with a verdict, the right release serves, and no request is lost.
// SLIPWAY_E2E_SEED repeats a draw; a set depends on the seed and its number alone.
func TestTargets_RandomManifests(t *testing.T) {
	t.Parallel()
	seed := numberFromEnv(t, "SLIPWAY_E2E_SEED", uint64(time.Now().UnixNano()))
	sets := int(numberFromEnv(t, "SLIPWAY_E2E_SETS", randomSets))
	t.Logf("SLIPWAY_E2E_SEED=%d repeats these choices", seed)
	sharedCluster.open(t)
	drawn := tally{counts: map[string]int{}}
	slots := make(chan struct{}, randomParallel)
	var group sync.WaitGroup
	for i := range sets {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			t.Run(fmt.Sprintf("set %d", i), func(t *testing.T) {
				manifests, disturbances := rand.New(rand.NewPCG(seed, uint64(2*i))), rand.New(rand.NewPCG(seed, uint64(2*i+1)))
				newRandomRun(t, disturbances, &drawn).run(manifests, randomReleases)
			})
		})
	}
	group.Wait()
	t.Log(drawn.table())
}

func numberFromEnv(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// tally counts how often each kind was drawn. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(kinds ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kind := range kinds {
		c.counts[kind]++
	}
}

// table lists all kinds, those that were not drawn too.
func (c *tally) table() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := "drawn:\n"
	for _, kind := range append(randommanifests.Kinds(), disturbanceNames()...) {
		out += fmt.Sprintf("  %-30s %d\n", kind, c.counts[kind])
	}
	return out
}
