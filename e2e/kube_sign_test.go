//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestKubeUntrusted: in a cluster as on this machine, what the policy does not
// trust changes nothing: no object is touched, and no pod is started.
func TestKubeUntrusted(t *testing.T) {
	t.Parallel()
	h := tinyInCluster(t, tinyManifests)
	h.sign("keys")
	h.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, trust: {keys: [cosign.pub], require: [signature, provenance]}")
	h.commit("sign, and trust nobody else")
	good := h.run().wants(0, "deployed").report.Release
	h.agrees("tiny", good)
	h.cosigned()
	before, pods := h.revisions(), h.podNames()
	h.newKey("other-keys")
	h.commit("trust another key, and sign with the first")
	h.env = append(h.env, "COSIGN_KEY="+h.base+"/keys/cosign.key")
	h.edit("slipway.yaml", `accuracy >= 0.8`, `accuracy >= 0.7`)
	h.commit("a change")
	h.run().wants(1, "failed").says("by a key that the policy does not trust")
	if now := h.revisions(); !slices.Equal(now, before) {
		t.Errorf("ReplicaSets %v, before %v", now, before)
	}
	if now := h.podNames(); !slices.Equal(now, pods) {
		t.Errorf("pods %v, before %v", now, pods)
	}
	h.agrees("tiny", good)
	h.slipway("verify", "--provenance", good, "--env", "prod").exits(1)
}

// cosigned: all that the pods run is an image that cosign accepts, the one with
// the model too. That is what a cluster with an admission policy goes by.
func (h *harbour) cosigned() {
	h.t.Helper()
	images := strings.Fields(h.in("get", "pods", "-o", "jsonpath={.items[*].spec['initContainers','containers'][*].image}"))
	slices.Sort(images)
	if images = slices.Compact(images); len(images) != 2 {
		h.t.Errorf("the pods run %q, want the service's image and the model's", images)
	}
	address, stop := h.project.registry() // h.registry is where the nodes are
	defer stop()
	for _, image := range images {
		image = strings.Replace(image, h.registry, address, 1)
		if out, err := h.cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry", image); err != nil {
			h.t.Errorf("cosign verify %s: %v\n%s", image, err, out)
		}
	}
}
