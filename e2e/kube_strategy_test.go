//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Releases that take over all traffic at once, and step by step.
func TestKubeStrategies(t *testing.T) {
	t.Parallel()
	h := newRetailClusterProject(t)
	h.edit("slipway.yaml", "  manifests: [k8s/]\n", "  manifests: [k8s/]\n  strategy: blue_green\n")
	h.write("internal/server/tired.go", tiredSource)
	h.commit("all at once")
	good := h.run().wantRun(0, "deployed").report.Release
	h.scenario("blue and green", func() { good = h.testBlueGreen(good) })
	h.scenario("bad in green", func() { h.testBlueGreenRollback(good) })
	h.edit("slipway.yaml", "strategy: blue_green\n", `strategy: canary
  canary: {min_requests: 20, steps: [{weight: 10, bake: 4s}, {weight: 50, bake: 4s}]}
`)
	h.commit("step by step")
	h.scenario("worse canary", func() { h.testWorseCanary(good) })
	h.scenario("canary without traffic", func() { good = h.testCanaryWithoutTraffic(good) })
	h.scenario("good canary", func() { h.testGoodCanary(good) })
}

// changeConfig makes the next release differ in its configuration.
func (h *clusterProject) changeConfig(name string) {
	h.t.Helper()
	text := h.read(h.dir + "/" + manifests)
	if at := strings.Index(text, "\n  ROUND: "); at >= 0 {
		rest := text[at+1:]
		text = text[:at] + rest[strings.Index(rest, "\n"):]
	}
	h.write(manifests, strings.Replace(text, "\ndata:\n", "\ndata:\n  ROUND: "+name+"\n", 1))
	h.commit(name)
}

// testBlueGreen: while the release bakes, all pods of the previous one are running.
func (h *clusterProject) testBlueGreen(before string) string {
	h.changeConfig("green")
	url, pods := h.requireServing("retail-api", before).URL, h.podNames()
	r := h.underLoad(url, predictBody, 0, func() result {
		run := h.start("run", "--env", "prod", "--json")
		run.waitForStep("watch")
		now := h.podNames()
		for _, name := range pods {
			if !slices.Contains(now, name) {
				h.t.Errorf("pod %s was removed before the release was promoted: %v", name, now)
			}
		}
		if len(now) != 2*len(pods) {
			h.t.Errorf("pods while baking: %v, want twice those before, %v", now, pods)
		}
		return run.wait().wantRun(0, "deployed")
	})
	h.requireServing("retail-api", r.report.Release)
	return r.report.Release
}

// testBlueGreenRollback: a release that fails while baking is removed, and the pods
// of the previous one, which kept running, take over.
func (h *clusterProject) testBlueGreenRollback(good string) {
	url, pods, configs := h.requireServing("retail-api", good).URL, h.podNames(), h.configMaps()
	h.edit("internal/server/predict.go", readsBody, readsBodyOrFails)
	h.commit("tired under load")
	defer h.git("revert", "--no-edit", "HEAD")
	r := h.underLoad(url, predictBody, 0.5, func() result { return h.run().wantRun(3, "rolled_back").wantText("requests failed") })
	h.requireRolledBack("retail-api", good, r)
	if now := h.podNames(); !slices.Equal(now, pods) {
		h.t.Errorf("pods of the good release after the rollback: %v, want %v", now, pods)
	}
	if now := h.configMaps(); !maps.Equal(now, configs) {
		h.t.Errorf("ConfigMaps after the rollback: %q, want %q", now, configs)
	}
}

// testWorseCanary: the canary is compared with the other pods, and is removed in its
// first step.
func (h *clusterProject) testWorseCanary(good string) {
	url, pods := h.requireServing("retail-api", good).URL, h.podNames()
	h.edit("internal/server/predict.go", readsBody, strings.Replace(readsBodyOrFails, `"tired"`, `"too tired"`, 1)) // other content than before
	h.commit("a worse canary")
	defer h.git("revert", "--no-edit", "HEAD")
	// One pod of three is the canary.
	r := h.underLoad(url, predictBody, 0.4, func() result { return h.run().wantRun(3, "rolled_back") })
	h.t.Log(r.report.Cause)
	for _, word := range []string{"canary 10 %", "error rate", good, "worse by more than", "confidence"} {
		if !strings.Contains(r.report.Cause, word) {
			h.t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
		}
	}
	if strings.Contains(r.stdout, "canary 50 %") {
		h.t.Errorf("the canary continued after its first step\n%s", r)
	}
	h.requireRolledBack("retail-api", good, r)
	if now := h.podNames(); !slices.Equal(now, pods) {
		h.t.Errorf("pods of the good release after the rollback: %v, want %v", now, pods)
	}
}

// testCanaryWithoutTraffic: without traffic nothing is known, and the configuration
// decides what that means.
func (h *clusterProject) testCanaryWithoutTraffic(good string) string {
	h.changeConfig("lonely")
	r := h.run().wantRun(3, "rolled_back")
	if !strings.Contains(r.report.Cause, "no traffic reached the canary") {
		h.t.Errorf("no mention of missing traffic in the cause: %s", r.report.Cause)
	}
	h.requireRolledBack("retail-api", good, r)
	h.edit("slipway.yaml", "min_requests: 20", "min_requests: 20, no_traffic: accept")
	h.changeConfig("lonely and content")
	r = h.run().wantRun(0, "deployed").wantText("no traffic reached the canary")
	h.requireServing("retail-api", r.report.Release)
	h.edit("slipway.yaml", "min_requests: 20, no_traffic: accept", "min_requests: 20")
	return r.report.Release
}

func (h *clusterProject) testGoodCanary(before string) {
	h.changeConfig("welcome")
	url := h.requireServing("retail-api", before).URL
	sets := h.replicaSets()
	r := h.underLoad(url, predictBody, 0, func() result { return h.run().wantRun(0, "deployed") })
	for _, gate := range []string{"canary 10 %: error rate", "canary 10 %: latency", "canary 50 %: error rate", "canary 50 %: latency"} {
		if !strings.Contains(r.stdout, gate) {
			h.t.Errorf("%q not found in the output:\n%s", gate, r)
		}
	}
	h.requireServing("retail-api", r.report.Release)
	if now := h.replicaSets(); len(now) != len(sets)+1 {
		h.t.Errorf("ReplicaSets = %v, want one more than %v", now, sets)
	}
}
