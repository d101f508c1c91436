//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// gateway is what an administrator of the cluster has set up for all services.
const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: users}
spec:
  gatewayClassName: CLASS
  listeners: [{name: web, protocol: HTTP, port: 80}]
`

// route leads users to Retail.
const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: retail-api}
spec:
  parentRefs: [{name: users}]
  rules: [{backendRefs: [{name: retail-api, port: 80}]}]
`

// The share of a canary is that of the requests which a controller of the Gateway API
// sends it, whatever the number of pods, and no request is lost on the way there, back
// and forth.
func TestTargets_HTTPRoute(t *testing.T) {
	t.Parallel()
	h := newRetailClusterProject(t)
	ingress := h.startIngress()
	h.apply(strings.ReplaceAll(gateway, "CLASS", ingress.Class))
	h.write(manifests, h.read(h.dir+"/"+manifests)+route)
	h.edit("slipway.yaml", "  manifests: [k8s/]\n", `  manifests: [k8s/]
  strategy: canary
  canary: {min_requests: 5, steps: [{weight: 10, bake: 8s}, {weight: 50, bake: 8s}]}
`)
	h.write("internal/server/tired.go", tiredSource)
	h.commit("behind a Gateway")
	url := "http://" + ingress.IP
	first := h.run().wantRun(0, "deployed").report.Release
	h.requireServedAt(url, first)
	var second string
	h.scenario("good canary", func() { second = h.testMeasuredCanary(url) })
	h.scenario("bad canary", func() { h.testBadCanaryBehindRoute(url, second) })
	h.scenario("rollback", func() {
		h.underLoad(url, predictBody, 0, func() result {
			r := h.slipway("rollback", "--env", "prod").wantExit(0)
			time.Sleep(propagationDelay)
			return r
		})
		h.requireServing("retail-api", first)
		h.requireServedAt(url, first)
	})
}

// testMeasuredCanary: in every step, users meet the canary as often as its weight says.
func (h *clusterProject) testMeasuredCanary(url string) string {
	h.changeConfig("measured")
	split := h.measureSplit(url)
	r := h.underLoad(url, predictBody, 0, func() result {
		r := h.run().wantRun(0, "deployed")
		time.Sleep(propagationDelay)
		return r
	})
	shares := split.stop(r.report.Release)
	h.t.Logf("weight of the canary -> its share of the responses: %+v", shares)
	for _, weight := range []int{10, 50} {
		if s := shares[weight]; s.responses < minResponses || math.Abs(s.percent-float64(weight)) > s.tolerance(weight) {
			h.t.Errorf("at weight %d, %.1f %% of %d responses came from the canary, want %d ± %.0f %% of at least %d\n%s",
				weight, s.percent, s.responses, weight, s.tolerance(weight), minResponses, r)
		}
	}
	h.requireServing("retail-api", r.report.Release)
	h.requireServedAt(url, r.report.Release)
	h.requirePlainRoute()
	return r.report.Release
}

// testBadCanaryBehindRoute: only the canary's share of the users meets it.
func (h *clusterProject) testBadCanaryBehindRoute(url, good string) {
	h.edit("internal/server/predict.go", readsBody, readsBodyOrFails)
	h.commit("tired under load")
	defer h.git("reset", "-q", "--hard", "HEAD~1")
	r := h.underLoad(url, predictBody, 0.12, func() result {
		r := h.run().wantRun(3, "rolled_back").wantText("canary 10 %")
		time.Sleep(propagationDelay)
		return r
	})
	h.requireRolledBack("retail-api", good, r)
	h.requireServedAt(url, good)
	h.requirePlainRoute()
}

// requirePlainRoute checks that nothing of a canary is left.
func (h *clusterProject) requirePlainRoute() {
	h.t.Helper()
	if refs := h.kubectlIn("get", "httproute", "retail-api", "-o", "jsonpath={range .spec.rules[*].backendRefs[*]}{.name} {end}"); refs != "retail-api" {
		h.t.Errorf("backends of the route = %q, want retail-api alone", refs)
	}
	if services := h.kubectlIn("get", "services", "-o", "jsonpath={.items[*].metadata.name}"); services != "retail-api" {
		h.t.Errorf("services = %q, want retail-api alone", services)
	}
}

// split measures which release responds, apart for each weight of the route.
type split struct {
	done    chan struct{}
	wg      sync.WaitGroup
	mu      sync.Mutex
	weight  int       // of the canary, as the route has it
	since   time.Time // when it got it
	answers map[int]map[string]int
}

// measureSplit asks about 50 times a second, each time over a new connection, which
// release it is. What comes within controllerDelay of a change of the weights does not
// count. The pauses are random: the controller takes turns, and requests in step with
// them would all meet the same release.
func (h *clusterProject) measureSplit(url string) *split {
	s := &split{done: make(chan struct{}), since: time.Now(), answers: map[int]map[string]int{}}
	again := func(pause func() time.Duration, do func()) {
		s.wg.Go(func() {
			for {
				select {
				case <-s.done:
					return
				case <-time.After(pause()):
					do()
				}
			}
		})
	}
	again(func() time.Duration { return 200 * time.Millisecond }, func() { s.readWeight(h) })
	for range 5 {
		again(func() time.Duration { return rand.N(200 * time.Millisecond) }, func() {
			begun := time.Now()
			if id, err := h.health(url); err == nil {
				s.count(begun, id.Release)
			}
		})
	}
	return s
}

// readWeight notes the weight of the canary's Service once the controller has seen it.
func (s *split) readWeight(h *clusterProject) {
	text, err := h.cluster.Kubectl(h.t.Context(), "-n", h.namespace, "get", "httproute", "retail-api",
		"-o", `jsonpath={.metadata.generation} {.status.parents[0].conditions[0].observedGeneration} {.spec.rules[0].backendRefs[?(@.name=="retail-api-canary")].weight}`)
	if err != nil {
		return // of the test's end, or seen in the numbers
	}
	var generation, observed, weight int
	_, _ = fmt.Sscan(text, &generation, &observed, &weight) // no weight while there is no canary
	if generation != observed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if weight != s.weight {
		s.weight, s.since = weight, time.Now()
	}
}

// controllerDelay is how long Traefik may take over a change that it has seen: 2 s, and
// what a busy machine adds.
const controllerDelay = 2500 * time.Millisecond

func (s *split) count(begun time.Time, release string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begun.Sub(s.since) < controllerDelay {
		return
	}
	if s.answers[s.weight] == nil {
		s.answers[s.weight] = map[string]int{}
	}
	s.answers[s.weight][release]++
}

// minResponses is how many responses make a share: below, it is not known.
const minResponses = 40

// share is a release's share of the responses.
type share struct {
	percent   float64
	responses int
}

// tolerance returns by how much a share of so many responses may differ from what is
// wanted: three standard deviations, and what the controller's turns add.
func (s share) tolerance(percent int) float64 {
	p := float64(percent) / 100
	return 4 + 300*math.Sqrt(p*(1-p)/float64(max(1, s.responses)))
}

// stop ends the measurement, and returns the release's share by the canary's weight.
func (s *split) stop(release string) map[int]share {
	close(s.done)
	s.wg.Wait()
	shares := map[int]share{}
	for weight, counts := range s.answers {
		total := 0
		for n := range maps.Values(counts) {
			total += n
		}
		shares[weight] = share{100 * float64(counts[release]) / float64(total), total}
	}
	return shares
}
