//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
)

// testPendingHistory: the history of a Slipway that signed nothing, on machines that have
// no other record. A run goes on as before, and what fails returns to what served; a
// rollback waits until a person has accepted that history, once.
func (h *clusterProject) testPendingHistory() {
	serves := h.status("prod").Release
	h.requireServing("tiny", serves)
	h.forgetSeals()
	h.edit("k8s/tiny.yaml", "GREETING: goodbye", "GREETING: farewell")
	h.edit("slipway.yaml", "body.doubled == 2", "body.doubled == 3")
	h.commit("it does not double")

	fresh := h.cloneElsewhere("fresh")
	fresh.slipway("status", "--env", "prod").wantExit(0).wantText(serves, "pending")
	fresh.slipway("rollback", "--env", "prod", "--why", "errors").wantExit(1).wantText("pending", "slipway history accept --env prod")
	failed := fresh.run()
	if failed.report.Outcome != "rolled_back" {
		h.t.Errorf("a bad release on the fresh machine: %s", failed)
	}
	h.requireServing("tiny", serves)
	fresh.slipway("rollback", "--env", "prod", "--why", "errors").wantExit(1).wantText("pending")

	fresh.slipway("history", "show", "--env", "prod").wantExit(0).wantText("release "+serves, "Deployment/tiny", "pending")
	fresh.slipway("history", "accept", "--env", "prod").wantExit(0).wantText("were pending, and are accepted")
	h.git("reset", "-q", "--hard", "HEAD~1") // its checks fit what was good
	other := h.cloneElsewhere("fresher")
	other.slipway("history", "show", "--env", "prod").wantExit(0).wantText("no record of the history of prod is pending")
	other.slipway("rollback", "--env", "prod", "--why", "errors").wantExit(0)
	if now := h.status("prod").Release; now == serves {
		h.t.Errorf("%s still serves after the rollback", now)
	}
}

// forgetSeals makes the history one that nobody has signed.
func (h *clusterProject) forgetSeals() {
	h.t.Helper()
	text, _, found := strings.Cut(h.kubectlIn("get", "configmap", "slipway-tiny-prod", "-o", `jsonpath={.data['history\.json']}`), `,"seals":`)
	if !found {
		h.t.Fatalf("the history has no seals: %s", text)
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"history.json": text + "}"}})
	h.must(err)
	h.kubectlIn("patch", "configmap", "slipway-tiny-prod", "--type=merge", "-p", string(patch))
	h.kubectlIn("delete", "secret", "slipway-tiny-prod.history")
}
