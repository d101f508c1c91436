//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// A release that the trust policy rejects changes nothing: no object is modified, and
// no pod is started.
func TestKubeUntrustedSignature(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	h.enableSigning("keys")
	h.edit("slipway.yaml", "bake: 300ms", "bake: 300ms, trust: {keys: [cosign.pub], require: [signature, provenance]}")
	h.commit("sign, and trust nobody else")
	good := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.requireCosigned()
	before, pods := h.replicaSets(), h.podNames()
	h.generateKey("other-keys")
	h.commit("trust another key, and sign with the first")
	h.env = append(h.env, "COSIGN_KEY="+h.base+"/keys/cosign.key")
	h.edit("slipway.yaml", `accuracy >= 0.8`, `accuracy >= 0.7`)
	h.commit("a change")
	h.run().wantRun(1, "failed").wantText("by a key that the policy does not trust")
	if now := h.replicaSets(); !slices.Equal(now, before) {
		t.Errorf("ReplicaSets %v, before %v", now, before)
	}
	if now := h.podNames(); !slices.Equal(now, pods) {
		t.Errorf("pods %v, before %v", now, pods)
	}
	h.requireServing("tiny", good)
	h.slipway("verify", "--provenance", good, "--env", "prod").wantExit(1)
}

// requireCosigned checks that cosign accepts all images that the pods run, the
// model's included, as an admission policy would.
func (h *clusterProject) requireCosigned() {
	h.t.Helper()
	images := strings.Fields(h.kubectlIn("get", "pods", "-o", "jsonpath={.items[*].spec['initContainers','containers'][*].image}"))
	slices.Sort(images)
	if images = slices.Compact(images); len(images) != 2 {
		h.t.Errorf("images of the pods = %q, want the service's and the model's", images)
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
