//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestKubeStrategies: releases that take over at once, and those that take over
// step by step.
func TestKubeStrategies(t *testing.T) {
	t.Parallel()
	h := retailInCluster(t)
	h.edit("slipway.yaml", "  manifests: [k8s/]\n", "  manifests: [k8s/]\n  strategy: blue_green\n")
	h.write("internal/server/tired.go", tired)
	h.commit("all at once")
	good := h.run().wants(0, "deployed").report.Release
	h.part("blue and green", func() { good = h.atOnce(good) })
	h.part("bad in green", func() { h.backAtOnce(good) })
	h.edit("slipway.yaml", "strategy: blue_green\n", `strategy: canary
  canary: {min_requests: 20, steps: [{weight: 10, bake: 4s}, {weight: 50, bake: 4s}]}
`)
	h.commit("step by step")
	h.part("worse canary", func() { h.worseCanary(good) })
	h.part("canary without traffic", func() { good = h.lonelyCanary(good) })
	h.part("good canary", func() { h.goodCanary(good) })
}

// another makes the next release another one, by its configuration.
func (h *harbour) another(name string) {
	h.t.Helper()
	text := h.read(h.dir + "/" + manifests)
	if at := strings.Index(text, "\n  ROUND: "); at >= 0 {
		rest := text[at+1:]
		text = text[:at] + rest[strings.Index(rest, "\n"):]
	}
	h.write(manifests, strings.Replace(text, "\ndata:\n", "\ndata:\n  ROUND: "+name+"\n", 1))
	h.commit(name)
}

// atOnce: while the release bakes, all pods of the one before are still there.
func (h *harbour) atOnce(before string) string {
	h.another("green")
	url, pods := h.agrees("retail-api", before).URL, h.podNames()
	r := h.visited(url, basket, 0, func() result {
		run := h.start("run", "--env", "prod", "--json")
		run.reach("watch")
		now := h.podNames()
		for _, name := range pods {
			if !slices.Contains(now, name) {
				h.t.Errorf("pod %s went before the release was accepted: %v", name, now)
			}
		}
		if len(now) != 2*len(pods) {
			h.t.Errorf("pods while it bakes: %v, before %v", now, pods)
		}
		return run.wait().wants(0, "deployed")
	})
	h.agrees("retail-api", r.report.Release)
	return r.report.Release
}

// backAtOnce: what bakes badly goes, and the pods of the one before, which were
// never away, go on.
func (h *harbour) backAtOnce(good string) {
	url, pods, configs := h.agrees("retail-api", good).URL, h.podNames(), h.configMaps()
	h.edit("internal/server/predict.go", readsBody, tiresFirst)
	h.commit("tired under load")
	defer h.git("revert", "--no-edit", "HEAD")
	r := h.visited(url, basket, 0.5, func() result { return h.run().wants(3, "rolled_back").says("requests failed") })
	h.keptInCluster("retail-api", good, r)
	if now := h.podNames(); !slices.Equal(now, pods) {
		h.t.Errorf("the good pods were %v and are %v", pods, now)
	}
	if now := h.configMaps(); !maps.Equal(now, configs) {
		h.t.Errorf("ConfigMaps were %q and are %q", configs, now)
	}
}

// worseCanary: it is held against the pods beside it, and goes at its first step.
func (h *harbour) worseCanary(good string) {
	url, pods := h.agrees("retail-api", good).URL, h.podNames()
	h.edit("internal/server/predict.go", readsBody, tiresFirst)
	h.commit("a worse canary")
	defer h.git("revert", "--no-edit", "HEAD")
	// One pod of three is the canary.
	r := h.visited(url, basket, 0.4, func() result { return h.run().wants(3, "rolled_back") })
	h.t.Log(r.report.Cause)
	for _, word := range []string{"canary 10 %", "error rate", good, "worse by more than", "confidence"} {
		if !strings.Contains(r.report.Cause, word) {
			h.t.Errorf("the cause does not say %q: %s", word, r.report.Cause)
		}
	}
	if strings.Contains(r.stdout, "canary 50 %") {
		h.t.Errorf("the canary went on after its first step\n%s", r)
	}
	h.keptInCluster("retail-api", good, r)
	if now := h.podNames(); !slices.Equal(now, pods) {
		h.t.Errorf("the good pods were %v and are %v", pods, now)
	}
}

// lonelyCanary: nobody asks, so nothing is known; what that means is for the
// project to say.
func (h *harbour) lonelyCanary(good string) string {
	h.another("lonely")
	r := h.run().wants(3, "rolled_back")
	if !strings.Contains(r.report.Cause, "no traffic reached the canary") {
		h.t.Errorf("the cause does not say that nobody came: %s", r.report.Cause)
	}
	h.keptInCluster("retail-api", good, r)
	h.edit("slipway.yaml", "min_requests: 20", "min_requests: 20, no_traffic: accept")
	h.another("lonely and content")
	r = h.run().wants(0, "deployed").says("no traffic reached the canary")
	h.agrees("retail-api", r.report.Release)
	h.edit("slipway.yaml", "min_requests: 20, no_traffic: accept", "min_requests: 20")
	return r.report.Release
}

func (h *harbour) goodCanary(before string) {
	h.another("welcome")
	url := h.agrees("retail-api", before).URL
	sets := h.revisions()
	r := h.visited(url, basket, 0, func() result { return h.run().wants(0, "deployed") })
	for _, gate := range []string{"canary 10 %: error rate", "canary 10 %: latency", "canary 50 %: error rate", "canary 50 %: latency"} {
		if !strings.Contains(r.stdout, gate) {
			h.t.Errorf("nothing says %q\n%s", gate, r)
		}
	}
	h.agrees("retail-api", r.report.Release)
	if now := h.revisions(); len(now) != len(sets)+1 {
		h.t.Errorf("one new ReplicaSet was wanted: %v, before %v", now, sets)
	}
}
