//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// badRelease is something that can be wrong with a release in a cluster.
type badRelease struct {
	name            string
	file            string // in the repository; text is replaced by with
	text, with      string
	step            string // that detects it
	wantCause       []string
	receivesTraffic bool                         // it gets traffic before it is detected
	rejected        bool                         // rejected before anything is changed
	blameless       bool                         // the namespace is the cause: it is not quarantined
	setUp           func(*clusterProject) func() // prepares the cluster, and returns the undo
}

const (
	manifests = "k8s/api.yaml"
	config    = "  DRAIN_DELAY: 3s"
)

// badReleases returns those that require no compilation, and then those in the code.
func badReleases(h *clusterProject, otherModel string) []badRelease {
	absent := h.registry + "/absent@sha256:" + strings.Repeat("0", 64)
	return []badRelease{
		{name: "crash loop", text: config, with: "  DRAIN_DELAY: soon", wantCause: []string{"exit code 1", `DRAIN_DELAY is "soon"`}},
		{name: "image missing", text: "      containers:\n", with: "      containers:\n        - {name: extra, image: '" + absent + "'}\n",
			wantCause: []string{"extra", "absent", "NotFound"}},
		{name: "never ready", text: config, with: config + "\n  PORT: \"9000\"", wantCause: []string{"readiness probe", "/ready"}},
		{name: "quota", text: config, with: config + "\n  ROUND: quota", wantCause: []string{"exceeded quota", "pods"}, blameless: true, setUp: (*clusterProject).fillQuota},
		{name: "pod security", text: "allowPrivilegeEscalation: false", with: "allowPrivilegeEscalation: true",
			wantCause: []string{"violates PodSecurity", "allowPrivilegeEscalation"}, setUp: (*clusterProject).restrictPods},
		{name: "admission policy", text: "spec:\n  replicas: 2", with: "spec:\n  replicas: 3", wantCause: []string{"three is a crowd"}, rejected: true, setUp: (*clusterProject).denyThreeReplicas},
		{name: "wrong model", text: config, with: config + "\n  ROUND: model", wantCause: []string{"slipway-model", "sha256:"},
			setUp: func(h *clusterProject) func() { return h.replaceModelImage(otherModel) }},
		{name: "predict answers 500", file: "cmd/api/main.go", text: "predictBudget = time.Second", with: "predictBudget = time.Nanosecond", wantCause: []string{"predict", "500"}},
		{name: "500 under load", file: "internal/server/predict.go", text: readsBody, with: readsBodyOrFails,
			step: "watch", wantCause: []string{"requests failed"}, receivesTraffic: true},
	}
}

// Code that fails after twenty requests: more than any smoke check sends.
const (
	tiredSource = `package server

import "sync/atomic"

var asked atomic.Int64

func tired() bool { return asked.Add(1) > 20 }
`
	readsBody        = "\tbody, ok := readJSON(w, r, maxBody)\n"
	readsBodyOrFails = `	if tired() {
		writeProblems(w, http.StatusInternalServerError, problem{Message: "tired"})
		return
	}
` + readsBody
)

// testBadReleases deploys every bad release. Its cause is reported, the good release
// keeps serving without failed requests, and the bad one leaves nothing behind.
func (h *clusterProject) testBadReleases(otherModel string) {
	h.write("internal/server/tired.go", tiredSource)
	h.commit("something unused, so far")
	good := h.underLoad(h.status("prod").URL, predictBody, 0, func() result { return h.run().wantRun(0, "deployed") }).report.Release
	for _, ill := range badReleases(h, otherModel) {
		if ill.file == "" {
			ill.file = manifests
		}
		if ill.step == "" {
			ill.step = "deploy"
		}
		h.scenario(ill.name, func() { h.testBadRelease(good, ill) })
	}
}

func (h *clusterProject) testBadRelease(good string, ill badRelease) {
	h.t.Helper()
	st := h.requireServing("retail-api", good)
	sets, pods, configs := h.replicaSets(), h.podNames(), h.configMaps()
	h.edit(ill.file, ill.text, ill.with)
	h.commit(ill.name)
	defer h.git("revert", "--no-edit", "HEAD")
	if ill.setUp != nil {
		defer ill.setUp(h)()
	}
	mayLose := 0.0
	if ill.receivesTraffic {
		mayLose = 0.5
	}
	code, outcome := 3, "rolled_back"
	if ill.rejected {
		code, outcome = 1, "failed"
	}
	begun := time.Now()
	r := h.underLoad(st.URL, predictBody, mayLose, func() result { return h.run().wantRun(code, outcome) })
	h.t.Logf("rolled back after %s: %s", time.Since(begun).Round(100*time.Millisecond), r.report.Cause)
	step, cause := ill.step, ill.wantCause
	if ill.receivesTraffic && r.step("verify").Outcome == "failed" {
		step, cause = "verify", []string{"500"} // on a busy machine, users send their requests before verify does
	}
	if s := r.step(step); s.Outcome != "failed" {
		h.t.Errorf("step %s is %s, want failed\n%s", step, s.Outcome, r)
	}
	for _, word := range cause {
		if !strings.Contains(r.report.Cause, word) {
			h.t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
		}
	}
	if ill.blameless {
		h.requireNotQuarantined("retail-api", good, r)
	} else if ill.rejected {
		if now := h.requireServing("retail-api", good); len(now.Quarantined) != len(st.Quarantined) || now.History[0].Run != st.History[0].Run {
			h.t.Errorf("Quarantined = %+v, History[0] = %+v, want them unchanged", now.Quarantined, now.History[0])
		}
	} else {
		h.requireRolledBack("retail-api", good, r)
	}
	if now := h.configMaps(); !maps.Equal(now, configs) {
		h.t.Errorf("ConfigMaps = %q, want %q", now, configs)
	}
	if now := h.podNames(); !ill.receivesTraffic && !slices.Equal(now, pods) {
		h.t.Errorf("pods = %v, want %v", now, pods)
	}
	if now := h.replicaSets(); len(now) > len(sets)+1 {
		h.t.Errorf("ReplicaSets = %v, want at most one more than %v", now, sets)
	}
}

// requireRolledBack checks that only the good release is running, and that the
// release of the run is quarantined.
func (h *clusterProject) requireRolledBack(service, good string, r result) {
	h.t.Helper()
	st := h.requireServing(service, good)
	bad := r.report.Release
	isBad := func(d struct{ Release, Reason string }) bool { return d.Release == bad && d.Reason != "" }
	if bad == good || !slices.ContainsFunc(st.Quarantined, isBad) {
		h.t.Errorf("Quarantined = %+v, want %s with a reason", st.Quarantined, bad)
	}
	if last := st.History[0]; last.Release != bad || last.State != "rolled_back" || last.Reason == "" {
		h.t.Errorf("History[0] = %+v, want %s rolled_back with a reason", last, bad)
	}
}

// requireNotQuarantined checks that only the good release is running, and that the
// release of the run may come again.
func (h *clusterProject) requireNotQuarantined(service, good string, r result) {
	h.t.Helper()
	st := h.requireServing(service, good)
	if slices.ContainsFunc(st.Quarantined, func(d struct{ Release, Reason string }) bool { return d.Release == r.report.Release }) {
		h.t.Errorf("Quarantined = %+v, want nothing of %s", st.Quarantined, r.report.Release)
	}
	if last := st.History[0]; last.Release != r.report.Release || last.State != "rolled_back" || last.Reason == "" {
		h.t.Errorf("History[0] = %+v, want %s rolled_back with a reason", last, r.report.Release)
	}
}

// fillQuota sets a quota of the current number of pods.
func (h *clusterProject) fillQuota() func() {
	h.kubectlIn("create", "quota", "full", fmt.Sprintf("--hard=pods=%d", len(h.pods())))
	return func() { h.kubectlIn("delete", "quota", "full") }
}

func (h *clusterProject) restrictPods() func() {
	h.kubectl("label", "namespace", h.namespace, "pod-security.kubernetes.io/enforce=restricted")
	return func() { h.kubectl("label", "namespace", h.namespace, "pod-security.kubernetes.io/enforce-") }
}

// denyThreeReplicas adds an admission policy against Deployments with three or more
// replicas.
func (h *clusterProject) denyThreeReplicas() func() {
	return h.policy(`
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}
  validations: [{expression: "object.spec.replicas < 3", message: three is a crowd}]`,
		func() bool {
			_, err := h.cluster.Kubectl(h.t.Context(), "-n", h.namespace, "create", "deployment", "crowd", "--image=none", "--replicas=3", "--dry-run=server")
			return err != nil
		})
}

// policy adds an admission policy for the namespace, and waits until it is effective.
func (h *clusterProject) policy(spec string, works func() bool) func() {
	h.t.Helper()
	h.apply(fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:%[2]s
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec:
  policyName: %[1]s
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}}
  validationActions: [Deny]
`, h.namespace, spec))
	if !h.eventually(20*time.Second, works) {
		h.t.Error("the admission policy is not effective")
	}
	return func() {
		h.kubectl("delete", "ValidatingAdmissionPolicy,ValidatingAdmissionPolicyBinding", h.namespace)
	}
}
