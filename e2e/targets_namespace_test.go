//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// The namespace is deleted while its service runs: status shows that nothing serves, a run
// names the namespace, and once that exists again the next run deploys.
func TestTargets_K34_NamespaceDeleted(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	good := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.kubectl("delete", "namespace", h.namespace, "--timeout=60s")
	h.scenario("AccountDeleted", func() { // with the namespace
		h.slipway("status", "--env", "prod").wantExit(1).wantText("authentication failed", h.namespace)
		h.run().wantExit(1).wantText("authentication failed", "log in again")
	})
	h.env = append(h.env, "KUBECONFIG="+h.adminConfig())
	h.scenario("NamespaceMissing", func() {
		if st := h.status("prod"); st.Release != good || st.Health != "down" {
			h.t.Errorf("status = %+v, want %s, down", st, good)
		}
		h.run().wantRun(1, "failed").wantCause(`namespaces "` + h.namespace + `" not found`)
		if st := h.status("prod"); len(st.Quarantined) > 0 {
			h.t.Errorf("Quarantined = %+v, want nothing", st.Quarantined)
		}
	})
	h.scenario("NamespaceBack", func() {
		h.kubectl("create", "namespace", h.namespace)
		h.run().wantRun(0, "deployed")
		h.requireServing("tiny", good)
	})
}

// adminConfig returns a kubeconfig with all rights.
func (h *clusterProject) adminConfig() string {
	h.t.Helper()
	path := filepath.Join(h.base, "admin.kubeconfig")
	h.must(os.WriteFile(path, []byte(h.kubectl("config", "view", "--raw", "--minify", "--flatten")), 0o600))
	return path
}
