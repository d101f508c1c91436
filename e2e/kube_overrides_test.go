//go:build e2e

package e2e

import "strings"

// testOverrides deploys the release that serves with overrides of the environment, and
// rolls them back: other pods of the same release.
func (h *clusterProject) testOverrides() {
	before := h.run().wantExit(0).report.Release // earlier scenarios left something else
	h.edit("slipway.yaml", "bake: ", "deploy: {replicas: 1, env: {LEVEL: debug}}, bake: ")
	h.commit("overrides")
	r := h.run().wantRun(0, "deployed")
	st := h.status("prod")
	if r.report.Release != before || st.Release != before || st.Health != "healthy" || !strings.HasPrefix(st.Instance, before+"-") {
		h.t.Fatalf("status = %+v of run %s, want release %s, healthy, with overrides", st, r, before)
	}
	pods := h.pods()
	if len(pods) != 1 || pods[0].Metadata.Labels[releaseLabel] != st.Instance {
		h.t.Errorf("pods = %+v, want one of %s", pods, st.Instance)
	}
	if again := h.run().wantRun(0, "skipped"); again.report.Release != before {
		h.t.Errorf("run again: release %s, want %s", again.report.Release, before)
	}
	h.slipway("rollback", "--env", "prod", "--why", "too few").wantExit(0)
	if st := h.requireServing("tiny", before); st.Instance != "" || len(st.Quarantined) > 0 && st.Quarantined[0].Release == before {
		h.t.Errorf("status after the rollback = %+v, want %s without overrides, not quarantined", st, before)
	}
}
