//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// The repair of a difference fails, because of what the cluster has beside the release:
// the run fails, and the release is neither rolled back to itself nor quarantined. What
// serves goes on, status shows that it failed and why, and a later run repairs it.
func TestTargets_RepairFails(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, strings.Replace(tinyManifests, "envFrom: [", "envFrom: [{configMapRef: {name: outside, optional: true}}, ", 1))
	good := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.scenario("OthersServe", func() {
		h.kubectlIn("set", "env", "deployment/tiny", "DRIFT=1")
		h.kubectlIn("rollout", "status", "deployment/tiny")
		r := h.underLoad(h.serviceURL("tiny"), predictBody, 0, func() result { return h.failRepair(good) })
		if !strings.Contains(r.report.Cause, `env[name="DRIFT"]`) {
			h.t.Errorf("the cause does not name the difference: %s", r.report.Cause)
		}
		if st := h.status("prod"); st.Health != "degraded" {
			h.t.Errorf("status = %+v, want it degraded", st)
		}
		const stuck = "2 of 3 pods still have an earlier template"
		h.slipway("status", "--env", "prod").wantExit(0).wantText("drift", stuck)
		h.slipway("verify", "--env", "prod").wantExit(6).wantText(stuck)
		h.slipway("plan", "--env", "prod").wantExit(0).wantText(stuck)
		h.repair(good)
		if env := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.template.spec.containers[0].env[*].name}"); strings.Contains(env, "DRIFT") {
			h.t.Errorf("variables = %s, want none that was set by hand", env)
		}
	})
	h.scenario("NothingServes", func() {
		h.kubectlIn("delete", "deployment", "tiny")
		h.failRepair(good)
		if st := h.status("prod"); st.Health != "down" {
			h.t.Errorf("status = %+v, want it down", st)
		}
		h.repair(good)
	})
}

// failRepair delivers what is deployed already, while no new pod of it becomes ready.
func (h *clusterProject) failRepair(good string) result {
	h.t.Helper()
	h.kubectlIn("create", "configmap", "outside", "--from-literal=TINY_BEHAVIOUR=never ready")
	r := h.run().wantRun(1, "failed").wantCause("this was to repair "+good+" in prod", "neither rolled back nor quarantined")
	st := h.status("prod")
	if st.Release != good || len(st.Quarantined) > 0 || st.Entering != nil {
		h.t.Errorf("status = %+v, want %s, nothing quarantined", st, good)
	}
	if last := st.History[0]; last.Release != good || last.State != "stuck" || !strings.Contains(last.Reason, "ready") {
		h.t.Errorf("History[0] = %+v, want that %s was not repaired, and why", last, good)
	}
	return r
}

// repair takes away what made the repair fail, and restarts the pods that began with it.
func (h *clusterProject) repair(good string) {
	h.t.Helper()
	h.kubectlIn("delete", "configmap", "outside")
	h.kubectlIn("rollout", "restart", "deployment/tiny")
	h.kubectlIn("rollout", "status", "deployment/tiny", "--timeout=60s")
	h.run().wantExit(0) // skipped, or deployed if the status of the Deployment lags behind
	if !h.eventually(time.Minute, func() bool { return h.status("prod").Health == "healthy" }) {
		h.t.Fatalf("status = %+v, want it healthy", h.status("prod"))
	}
	h.requireServing("tiny", good)
	h.slipway("verify", "--env", "prod").wantExit(0)
	h.run().wantRun(0, "skipped")
}
