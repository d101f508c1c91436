//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// illness is something that can be wrong with a release in a cluster.
type illness struct {
	name       string
	file       string // of the repository, where text becomes with
	text, with string
	step       string // that notices
	says       []string
	serves     bool                  // it gets users before it is noticed
	refused    bool                  // before anything was changed
	cluster    func(*harbour) func() // makes the cluster so, and undoes it
}

const (
	manifests = "k8s/api.yaml"
	config    = "  DRAIN_DELAY: 3s"
)

// kubeIllnesses are those that need no compiler, and then those of the code.
func kubeIllnesses(h *harbour, otherModel string) []illness {
	absent := h.registry + "/absent@sha256:" + strings.Repeat("0", 64)
	return []illness{
		{name: "crash loop", text: config, with: "  DRAIN_DELAY: soon", says: []string{"exit code 1", `DRAIN_DELAY is "soon"`}},
		{name: "image missing", text: "      containers:\n", with: "      containers:\n        - {name: extra, image: '" + absent + "'}\n",
			says: []string{"extra", "absent", "NotFound"}},
		{name: "never ready", text: config, with: config + "\n  PORT: \"9000\"", says: []string{"readiness probe", "/ready"}},
		{name: "quota", text: config, with: config + "\n  ROUND: quota", says: []string{"exceeded quota", "pods"}, cluster: (*harbour).fullQuota},
		{name: "pod security", text: "allowPrivilegeEscalation: false", with: "allowPrivilegeEscalation: true",
			says: []string{"violates PodSecurity", "allowPrivilegeEscalation"}, cluster: (*harbour).restricted},
		{name: "admission policy", text: "spec:\n  replicas: 2", with: "spec:\n  replicas: 3", says: []string{"three is a crowd"}, refused: true, cluster: (*harbour).noCrowds},
		{name: "wrong model", text: config, with: config + "\n  ROUND: model", says: []string{"slipway-model", "sha256:"},
			cluster: func(h *harbour) func() { return h.exchangeModel(otherModel) }},
		{name: "predict answers 500", file: "cmd/api/main.go", text: "predictBudget = time.Second", with: "predictBudget = time.Nanosecond", says: []string{"predict", "500"}},
		{name: "500 under load", file: "internal/server/predict.go", text: readsBody, with: tiresFirst,
			step: "watch", says: []string{"requests failed"}, serves: true},
	}
}

// Code that gives up after twenty requests: more than any smoke check asks.
const (
	tired = `package server

import "sync/atomic"

var asked atomic.Int64

func tired() bool { return asked.Add(1) > 20 }
`
	readsBody  = "\tbody, ok := readJSON(w, r, maxBody)\n"
	tiresFirst = `	if tired() {
		writeProblems(w, http.StatusInternalServerError, problem{Message: "tired"})
		return
	}
` + readsBody
)

// illnesses delivers everything that can be wrong. The right cause is named, the
// good release serves, users notice nothing, and the bad one leaves no trace.
func (h *harbour) illnesses(otherModel string) {
	h.write("internal/server/tired.go", tired)
	h.commit("something unused, so far")
	good := h.visited(h.status("prod").URL, basket, 0, func() result { return h.run().wants(0, "deployed") }).report.Release
	for _, ill := range kubeIllnesses(h, otherModel) {
		if ill.file == "" {
			ill.file = manifests
		}
		if ill.step == "" {
			ill.step = "deploy"
		}
		h.part(ill.name, func() { h.recovers(good, ill) })
	}
}

func (h *harbour) recovers(good string, ill illness) {
	h.t.Helper()
	st := h.agrees("retail-api", good)
	sets, pods, configs := h.revisions(), h.podNames(), h.configMaps()
	h.edit(ill.file, ill.text, ill.with)
	h.commit(ill.name)
	defer h.git("revert", "--no-edit", "HEAD")
	if ill.cluster != nil {
		defer ill.cluster(h)()
	}
	mayLose := 0.0
	if ill.serves {
		mayLose = 0.5
	}
	code, outcome := 3, "rolled_back"
	if ill.refused {
		code, outcome = 1, "failed"
	}
	begun := time.Now()
	r := h.visited(st.URL, basket, mayLose, func() result { return h.run().wants(code, outcome) })
	h.t.Logf("back after %s: %s", time.Since(begun).Round(100*time.Millisecond), r.report.Cause)
	if s := r.step(ill.step); s.Outcome != "failed" {
		h.t.Errorf("step %s is %s, but it had to notice\n%s", ill.step, s.Outcome, r)
	}
	for _, word := range ill.says {
		if !strings.Contains(r.report.Cause, word) {
			h.t.Errorf("the cause does not say %q: %s", word, r.report.Cause)
		}
	}
	if ill.refused {
		if now := h.agrees("retail-api", good); len(now.Quarantined) != len(st.Quarantined) || now.History[0].Run != st.History[0].Run {
			h.t.Errorf("nothing was changed, and the records say otherwise: %+v", now)
		}
	} else {
		h.keptInCluster("retail-api", good, r)
	}
	if now := h.configMaps(); !maps.Equal(now, configs) {
		h.t.Errorf("ConfigMaps were %q and are %q", configs, now)
	}
	if now := h.podNames(); !ill.serves && !slices.Equal(now, pods) {
		h.t.Errorf("the good pods were %v and are %v", pods, now)
	}
	if now := h.revisions(); len(now) > len(sets)+1 {
		h.t.Errorf("at most one new ReplicaSet was wanted: %v, before %v", now, sets)
	}
}

// keptInCluster checks that the good release serves alone, and that the one of
// the run is quarantined.
func (h *harbour) keptInCluster(service, good string, r result) {
	h.t.Helper()
	st := h.agrees(service, good)
	bad := r.report.Release
	isBad := func(d struct{ Release, Reason string }) bool { return d.Release == bad && d.Reason != "" }
	if bad == good || !slices.ContainsFunc(st.Quarantined, isBad) {
		h.t.Errorf("release %q is not quarantined: %+v", bad, st.Quarantined)
	}
	if last := st.History[0]; last.Release != bad || last.State != "rolled_back" || last.Reason == "" {
		h.t.Errorf("the history does not say that %s was rolled back, and why: %+v", bad, last)
	}
}

// fullQuota lets nobody have more pods than there are.
func (h *harbour) fullQuota() func() {
	h.in("create", "quota", "full", fmt.Sprintf("--hard=pods=%d", len(h.pods())))
	return func() { h.in("delete", "quota", "full") }
}

func (h *harbour) restricted() func() {
	h.kubectl("label", "namespace", h.ns, "pod-security.kubernetes.io/enforce=restricted")
	return func() { h.kubectl("label", "namespace", h.ns, "pod-security.kubernetes.io/enforce-") }
}

// noCrowds is a policy of the cluster against Deployments of three and more.
func (h *harbour) noCrowds() func() {
	return h.policy("Validating", `
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]}
  validations: [{expression: "object.spec.replicas < 3", message: three is a crowd}]`,
		func() bool {
			_, err := h.c.Kubectl(h.t.Context(), "-n", h.ns, "create", "deployment", "crowd", "--image=none", "--replicas=3", "--dry-run=server")
			return err != nil
		})
}

// exchangeModel gives new pods another model's image than their release has.
func (h *harbour) exchangeModel(image string) func() {
	probe := `apiVersion: v1
kind: Pod
metadata: {name: probe}
spec: {initContainers: [{name: slipway-model, image: right}], containers: [{name: api, image: api}]}
`
	return h.policy("Mutating", fmt.Sprintf(`
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
    - patchType: JSONPatch
      jsonPatch: {expression: '[JSONPatch{op: "replace", path: "/spec/initContainers/0/image", value: "%s"}]'}`, image),
		func() bool {
			out, err := h.c.KubectlInput(h.t.Context(), probe, "-n", h.ns, "create", "-f", "-", "--dry-run=server", "-o", "yaml")
			return err == nil && strings.Contains(out, image)
		})
}

// policy is an admission policy for the namespace alone, once it works.
func (h *harbour) policy(kind, spec string, works func() bool) func() {
	h.t.Helper()
	binding := ""
	if kind == "Validating" {
		binding = "\n  validationActions: [Deny]"
	}
	h.apply(fmt.Sprintf(`apiVersion: admissionregistration.k8s.io/v1
kind: %[1]sAdmissionPolicy
metadata: {name: %[2]s}
spec:%[3]s
---
apiVersion: admissionregistration.k8s.io/v1
kind: %[1]sAdmissionPolicyBinding
metadata: {name: %[2]s}
spec:
  policyName: %[2]s
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[2]s}}}%[4]s
`, kind, h.ns, spec, binding))
	if !h.settle(20*time.Second, works) {
		h.t.Error("the admission policy does not work")
	}
	return func() {
		h.kubectl("delete", kind+"AdmissionPolicy,"+kind+"AdmissionPolicyBinding", h.ns)
	}
}
