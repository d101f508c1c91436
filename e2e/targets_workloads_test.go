//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// maxVerdict is how long a run may take until it has a verdict.
const maxVerdict = time.Minute

// moreRole adds what the least-privilege role lacks for manifests with Jobs and
// workloads beside the service.
const moreRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: more}
rules:
  - {apiGroups: [batch], resources: [jobs, cronjobs], verbs: [get, create, patch, delete]}
  - {apiGroups: [apps], resources: [statefulsets, daemonsets], verbs: [get, create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: more}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: more}
subjects: [{kind: ServiceAccount, name: slipway}]
`

// workload is a Deployment of the service's image that no Service leads to.
func workload(name string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: %[1]s, image: tiny, resources: {requests: {cpu: 5m, memory: 16Mi}}}]
`, name)
}

const nightly = `---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: nightly, image: tiny}]}}}}
`

// newTargetsProject is the tiny service, which may have workloads of other kinds.
func newTargetsProject(t *testing.T, manifests string) *clusterProject {
	t.Helper()
	h := newTinyClusterProject(t, manifests)
	h.apply(moreRole)
	return h
}

// deliver delivers manifests, and requires that outcome within maxVerdict.
func (h *clusterProject) deliver(manifests, message string, code int, outcome string) result {
	h.t.Helper()
	h.write("k8s/tiny.yaml", manifests)
	h.commit(message)
	return h.withinVerdict(func() result { return h.run() }).wantRun(code, outcome)
}

func (h *clusterProject) withinVerdict(do func() result) result {
	h.t.Helper()
	begun := time.Now()
	r := do()
	if took := time.Since(begun); took > maxVerdict {
		h.t.Errorf("it took %s, want at most %s\n%s", took.Round(time.Second), maxVerdict, r)
	}
	return r
}

// requireWorkloads checks which Deployments there are.
func (h *clusterProject) requireWorkloads(want string) {
	h.t.Helper()
	if got := h.kubectlIn("get", "deployments", "-o", "jsonpath={.items[*].metadata.name}"); got != want {
		h.t.Errorf("Deployments are %q, want %q", got, want)
	}
}

// release is the manifests of a release with that greeting.
func release(greeting string) string {
	return strings.Replace(tinyManifests, "GREETING: hello", "GREETING: "+greeting, 1)
}

// Workloads beside the service come and go with the releases.
func TestTargets_K15b_WorkerDropped(t *testing.T) {
	t.Parallel()
	h := newTargetsProject(t, tinyManifests)
	var first string
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"K15 worker and CronJob", func() {
			first = h.deliver(release("one")+workload("worker")+nightly, "with a worker", 0, "deployed").report.Release
			h.requireServing("tiny", first)
			h.requireWorkloads("tiny worker")
		}},
		{"K15b worker dropped", func() {
			r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result { return h.deliver(release("two"), "without it", 0, "deployed") })
			h.requireServing("tiny", r.report.Release)
			h.requireWorkloads("tiny")
		}},
		{"back to the worker", func() {
			h.withinVerdict(func() result { return h.slipway("rollback", "--env", "prod", "--why", "to see the worker") }).wantExit(0)
			h.requireServing("tiny", first)
			h.requireWorkloads("tiny worker")
		}},
		{"bad release with another worker", func() {
			bad := strings.Replace(release("three"), `value: "8000"}`, `value: "8000"}, {name: TINY_BEHAVIOUR, value: crashes}`, 1)
			h.deliver(bad+workload("worker")+workload("helper"), "a bad one", 3, "rolled_back")
			h.requireServing("tiny", first)
			h.requireWorkloads("tiny worker")
		}},
		{"renamed Deployment", func() {
			renamed := strings.Replace(release("four"), "kind: Deployment\nmetadata: {name: tiny,", "kind: Deployment\nmetadata: {name: tiny2,", 1)
			r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result { return h.deliver(renamed, "renamed", 0, "deployed") })
			h.requireServing("tiny", r.report.Release)
			h.requireWorkloads("tiny2")
		}},
	} {
		if !h.scenario(s.name, s.do) {
			t.FailNow()
		}
	}
}
