//go:build e2e

package e2e

import (
	"slices"
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
