//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// driftRow is something that is done to a release by hand.
type driftRow struct {
	name  string
	apply []string // arguments of kubectl
	want  []string // in status, verify and plan
	gone  []string // kubectl get that prints nothing after the repair
}

// TestTargets_K28_K29_K30_Drift: what is gone or different in the cluster is named with
// who changed it, and the next run takes it back without a lost request.
func TestTargets_K28_K29_K30_Drift(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	good := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.slipway("verify", "--env", "prod").wantExit(0)
	h.run().wantRun(0, "skipped")
	for _, row := range []driftRow{
		{"K28_EnvAdded", []string{"set", "env", "deployment/tiny", "DRIFT=1"}, []string{`env[name="DRIFT"]`, "was added: 1", "kubectl-set"},
			[]string{"deployment", "tiny", "-o", `jsonpath={.spec.template.spec.containers[0].env[?(@.name=="DRIFT")]}`}},
		{"K28_EnvRemoved", []string{"set", "env", "deployment/tiny", "MODEL_VERSION-"}, []string{`env[name="MODEL_VERSION"]`, "was removed"}, nil},
		{"K28_ScaledByHand", []string{"scale", "deployment/tiny", "--replicas=3"}, []string{"spec.replicas is 3, recorded 2", "kubectl"}, nil},
		{"K28_PortOfService", []string{"patch", "service", "tiny", "--type=json", "-p", `[{"op":"add","path":"/spec/publishNotReadyAddresses","value":true}]`},
			[]string{"Service tiny: spec.publishNotReadyAddresses was added: true", "kubectl-patch"},
			[]string{"service", "tiny", "-o", "jsonpath={.spec.publishNotReadyAddresses}"}},
		{"K29_DeploymentDeleted", []string{"delete", "deployment", "tiny"}, []string{"Deployment tiny is missing"}, nil},
		{"K30_ServiceDeleted", []string{"delete", "service", "tiny"}, []string{"Service tiny is missing"}, nil},
	} {
		h.scenario(row.name, func() { h.testDrift(row, good) })
	}
	h.scenario("ControllersAreNoDrift", h.testNoDrift)
	h.scenario("K28_NextRelease", h.testDriftAndNextRelease)
}

// testDrift changes something by hand: it is named everywhere, and a run repairs it.
func (h *clusterProject) testDrift(row driftRow, good string) {
	h.t.Helper()
	h.kubectlIn(row.apply...)
	verify := h.slipway("verify", "--env", "prod", "--json")
	status := h.slipway("status", "--env", "prod").wantExit(0)
	plan := h.slipway("plan", "--env", "prod").wantExit(0)
	asJSON := h.slipway("status", "--env", "prod", "--json").wantExit(0)
	lacks := func(r result, text string) bool {
		flat := strings.Join(strings.Fields(strings.ReplaceAll(r.stdout+r.stderr, `\"`, `"`)), "")
		return !strings.Contains(flat, strings.Join(strings.Fields(text), ""))
	}
	for _, text := range row.want {
		if lacks(plan, text) {
			h.t.Errorf("plan lacks %q\n%s", text, plan)
		}
	}
	var doc struct {
		Drift []struct{ Kind, Name, Field, Manager string }
	}
	h.must(json.Unmarshal([]byte(asJSON.stdout), &doc))
	if len(doc.Drift) == 0 || lacks(status, "drift") {
		h.t.Errorf("status names no drift\n%s\n%s", status, asJSON)
	}
	if verify.code != 6 && verify.code != 1 { // 1: it does not respond any more
		h.t.Errorf("verify: exit %d, want 6\n%s", verify.code, verify)
	}
	h.run().wantRun(0, "deployed")
	h.requireServing("tiny", good)
	h.slipway("verify", "--env", "prod").wantExit(0)
	if row.gone != nil {
		if rest := h.kubectlIn(append([]string{"get"}, row.gone...)...); rest != "" && rest != "false" {
			h.t.Errorf("after the repair: %s", rest)
		}
	}
	h.run().wantRun(0, "skipped")
}

// testNoDrift: what controllers and `kubectl rollout restart` write is no difference.
func (h *clusterProject) testNoDrift() {
	h.t.Helper()
	h.kubectlIn("annotate", "deployment", "tiny", "note=mine")
	h.kubectlIn("rollout", "restart", "deployment/tiny")
	h.kubectlIn("rollout", "status", "deployment/tiny")
	h.run().wantRun(0, "skipped")
}

// testDriftAndNextRelease: what was added by hand does not survive the next release.
func (h *clusterProject) testDriftAndNextRelease() {
	h.t.Helper()
	h.kubectlIn("set", "env", "deployment/tiny", "DRIFT=2")
	h.kubectlIn("rollout", "status", "deployment/tiny")
	sets := h.replicaSets()
	h.edit("k8s/tiny.yaml", "GREETING: hello", "GREETING: hi")
	h.commit("another greeting")
	r := h.underLoad(h.serviceURL("tiny"), `{"n": 1}`, 0, func() result { return h.run().wantRun(0, "deployed") })
	h.requireServing("tiny", r.report.Release)
	env := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.template.spec.containers[0].env[*].name}")
	if slices.Contains(strings.Fields(env), "DRIFT") {
		h.t.Errorf("variables = %s, want none that was set by hand", env)
	}
	if now := h.replicaSets(); len(now) > len(sets)+1 {
		h.t.Errorf("ReplicaSets = %v, before %v: the pods changed more than once", now, sets)
	}
}
