//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secretValue is the value of a Secret in the manifests: text that occurs nowhere
// else.
const secretValue = "e2e-planted-in-manifests-5d08"

// tinyManifests are the manifests of the tiny service.
const tinyManifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: tiny}
data: {ROUND: "0", GREETING: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: tiny}
stringData: {PASSWORD: ` + secretValue + `}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tiny, labels: {team: ours}}
spec:
  replicas: 2
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: api
          image: tiny
          env: [{name: PORT, value: "8000"}]
          envFrom: [{configMapRef: {name: tiny}}, {secretRef: {name: tiny}}]
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 2}}}
          resources: {requests: {cpu: 10m, memory: 16Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: tiny}
spec:
  selector: {app: tiny}
  ports: [{name: http, port: 80, targetPort: http}]
`

const droppedObjects = `---
apiVersion: v1
kind: Service
metadata: {name: tiny-side}
spec: {selector: {app: tiny}, ports: [{name: http, port: 81, targetPort: http}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: tiny-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`

// claimsRole adds what the least-privilege role lacks for manifests with a volume
// claim.
const claimsRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: claims}
rules: [{apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: claims}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: claims}
subjects: [{kind: ServiceAccount, name: slipway}]
`

// newTinyClusterProject returns the tiny service with manifests.
func newTinyClusterProject(t *testing.T, text string) *clusterProject {
	t.Helper()
	h := newClusterProject(t, newTinyProject(t))
	h.write("k8s/tiny.yaml", text)
	whole := h.read(h.dir + "/slipway.yaml")
	begin, end := strings.Index(whole, "deploy:\n"), strings.Index(whole, "  smoke:\n")
	if begin < 0 || end < begin {
		t.Fatal("slipway.yaml has no smoke checks in its deploy section")
	}
	h.write("slipway.yaml", whole[:begin]+"deploy:\n  manifests: [k8s/]\n  within: 5s\n"+whole[end:])
	h.commit("deploy to the cluster")
	return h
}

// What Slipway does with the objects of a release, with other objects, and with other
// Slipways.
func TestKubeObjects(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests+droppedObjects)
	h.apply(claimsRole)
	first := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", first)
	var second string
	for _, p := range []struct {
		name string
		do   func()
	}{
		{"plan", func() { h.testPlan() }},
		{"prune", func() { second = h.testPrune() }},
		{"secrets", func() { h.testSecrets(first, second) }},
		{"conflict", func() { h.testFieldConflict() }},
		{"another machine", func() { h.testOtherMachine() }},
		{"history that nobody has signed", func() { h.testPendingHistory() }},
		{"two at once", func() { h.testConcurrentRuns() }},
		{"overrides", func() { h.testOverrides() }},
		{"down", func() { h.testDown() }},
	} {
		if !h.scenario(p.name, p.do) {
			t.FailNow()
		}
	}
}

// planChange is a change of `slipway plan --json`.
type planChange struct{ Action, Kind, Name, Diff string }

// testPlan: the plan shows the changes, redacts the values of Secrets, and changes
// nothing.
func (h *clusterProject) testPlan() {
	list := func(kinds, field string) string {
		return h.kubectlIn("get", kinds, "-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.`+field+`}{"\n"}{end}`)
	}
	// The cluster's controllers write the status of some objects, which is no change.
	versions := func() string {
		return list("services,configmaps,secrets,leases,persistentvolumeclaims", "resourceVersion") + list("deployments,replicasets,pods", "generation")
	}
	h.edit("k8s/tiny.yaml", "replicas: 2", "replicas: 3")
	h.edit("k8s/tiny.yaml", secretValue, secretValue+"-changed")
	h.commit("more of it")
	defer h.git("reset", "-q", "--hard", "HEAD~1")
	before := versions()
	r := h.slipway("plan", "--env", "prod").wantExit(0).wantText("change Deployment tiny", "-   replicas: 2", "+   replicas: 3", "create Secret tiny-")
	changes := runJSON[struct{ Changes []planChange }](h.project, "plan", "--env", "prod").Changes
	isSecret := func(c planChange) bool {
		return c.Kind == "Secret" && c.Action == "create" && strings.Contains(c.Diff, "(redacted)")
	}
	if !slices.ContainsFunc(changes, isSecret) {
		h.t.Errorf("changes = %+v, want a Secret that is created and redacted", changes)
	}
	if strings.Contains(fmt.Sprint(r, changes), secretValue) {
		h.t.Errorf("the plan contains the Secret's value:\n%s", r)
	}
	if now := versions(); now != before {
		h.t.Errorf("plan changed the cluster; before:\n%s\nafter:\n%s", before, now)
	}
}

// testPrune: objects that the next release lacks are removed, except data and other
// objects.
func (h *clusterProject) testPrune() string {
	h.apply("apiVersion: v1\nkind: Service\nmetadata: {name: foreign}\nspec: {ports: [{port: 80}]}\n")
	h.kubectlIn("get", "service", "tiny-side")
	h.write("k8s/tiny.yaml", strings.Replace(tinyManifests, `ROUND: "0"`, `ROUND: "1"`, 1))
	h.commit("less of it")
	second := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", second)
	services := strings.Fields(h.kubectlIn("get", "services", "-o", "jsonpath={.items[*].metadata.name}"))
	if !slices.Equal(services, []string{"foreign", "tiny"}) {
		h.t.Errorf("services after the release without tiny-side = %v", services)
	}
	h.kubectlIn("get", "persistentvolumeclaim", "tiny-data")
	return second
}

// testSecrets: a Secret's value is stored in the Secret only, and a rollback uses the
// existing one.
func (h *clusterProject) testSecrets(first, second string) {
	secrets := func() string {
		all := strings.Split(h.kubectlIn("get", "secrets", "-o", `jsonpath={range .items[?(@.immutable==true)]}{.metadata.name} {.metadata.uid}{"\n"}{end}`), "\n")
		isKey := func(line string) bool { return strings.HasPrefix(line, "slipway-tiny-prod.history ") } // it signs the history
		return strings.Join(slices.DeleteFunc(all, isKey), "\n")
	}
	before := secrets()
	if strings.Count(before, "\n") != 0 || before == "" {
		h.t.Errorf("immutable Secrets = %q, want one", before)
	}
	h.slipway("rollback", "--env", "prod", "--why", "to see the Secret").wantExit(0)
	h.requireServing("tiny", first)
	if now := secrets(); now != before {
		h.t.Errorf("Secrets before the rollback %q, after it %q", before, now)
	}
	h.slipway("releases", "unquarantine", second, "--why", "it was good").wantExit(0)
	h.slipway("rollback", "--env", "prod", "--to", second).wantExit(0)
	h.requireNowhere(secretValue)
}

// requireNowhere checks that the text is not in the output of commands, in the state
// folder, or in the cluster's ConfigMaps, workloads, Leases and events.
func (h *clusterProject) requireNowhere(text string) {
	h.t.Helper()
	hides := func(where, content string) {
		if strings.Contains(content, text) {
			h.t.Errorf("found the Secret's value in %s", where)
		}
	}
	for _, r := range h.results {
		hides("the output of slipway "+strings.Join(r.args, " "), r.stdout+r.stderr)
	}
	h.must(filepath.WalkDir(h.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.HasSuffix(path, "k8s/tiny.yaml") {
			return nil // the checkout of the commit that contains it
		}
		content, err := os.ReadFile(path)
		hides(path, string(content))
		return err
	}))
	hides("the cluster", h.kubectlIn("get", "configmaps,deployments,replicasets,pods,leases,events", "-o", "yaml"))
	for _, c := range h.releaseRecords() {
		hides("a release's record", c)
	}
}
