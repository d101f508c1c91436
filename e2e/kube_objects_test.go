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

// planted is the value of a Secret in the manifests: text that is nowhere else.
const planted = "e2e-planted-in-manifests-5d08"

// tinyManifests are those of the tiny service, with something that a later
// release will not have.
const tinyManifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: tiny}
data: {ROUND: "0", GREETING: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: tiny}
stringData: {PASSWORD: ` + planted + `}
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

const leaving = `---
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

// claims is what the least role lacks for manifests with a volume claim.
const claims = `apiVersion: rbac.authorization.k8s.io/v1
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

// tinyInCluster is the tiny service with manifests of its own.
func tinyInCluster(t *testing.T, text string) *harbour {
	t.Helper()
	h := inCluster(t, tiny(t))
	h.write("k8s/tiny.yaml", text)
	whole := h.read(h.dir + "/slipway.yaml")
	begin, end := strings.Index(whole, "deploy:\n"), strings.Index(whole, "  smoke:\n")
	if begin < 0 || end < begin {
		t.Fatal("slipway.yaml has no smoke checks in its deploy section")
	}
	h.write("slipway.yaml", whole[:begin]+"deploy:\n  manifests: [k8s/]\n  within: 5s\n"+whole[end:])
	h.commit("into the cluster")
	return h
}

// TestKubeObjects: what Slipway does with the objects of a release, with others'
// objects, and with other Slipways.
func TestKubeObjects(t *testing.T) {
	t.Parallel()
	h := tinyInCluster(t, tinyManifests+leaving)
	h.apply(claims)
	first := h.run().wants(0, "deployed").report.Release
	h.agrees("tiny", first)
	var second string
	for _, p := range []struct {
		name string
		do   func()
	}{
		{"plan", func() { h.planned() }},
		{"prune", func() { second = h.pruned() }},
		{"secrets", func() { h.secretive(first, second) }},
		{"conflict", func() { h.conflict() }},
		{"another machine", func() { h.fromElsewhere() }},
		{"two at once", func() { h.twoAtOnce() }},
		{"down", func() { h.goesDown() }},
	} {
		if !h.part(p.name, p.do) {
			t.FailNow()
		}
	}
}

// change is a line of `slipway plan --json`.
type change struct{ Action, Kind, Name, Diff string }

// planned: the plan shows what would change, hides Secrets' values, and touches
// nothing.
func (h *harbour) planned() {
	list := func(kinds, field string) string {
		return h.in("get", kinds, "-o", `jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.`+field+`}{"\n"}{end}`)
	}
	// The cluster's own controllers write the status of some: that is no change.
	versions := func() string {
		return list("services,configmaps,secrets,leases,persistentvolumeclaims", "resourceVersion") + list("deployments,replicasets,pods", "generation")
	}
	h.edit("k8s/tiny.yaml", "replicas: 2", "replicas: 3")
	h.edit("k8s/tiny.yaml", planted, planted+"-changed")
	h.commit("more of it")
	defer h.git("reset", "-q", "--hard", "HEAD~1")
	before := versions()
	r := h.slipway("plan", "--env", "prod").exits(0).says("change Deployment tiny", "-   replicas: 2", "+   replicas: 3", "create Secret tiny-")
	changes := ask[struct{ Changes []change }](h.project, "plan", "--env", "prod").Changes
	isSecret := func(c change) bool {
		return c.Kind == "Secret" && c.Action == "create" && strings.Contains(c.Diff, "(redacted)")
	}
	if !slices.ContainsFunc(changes, isSecret) {
		h.t.Errorf("the plan has no masked Secret: %+v", changes)
	}
	if strings.Contains(fmt.Sprint(r, changes), planted) {
		h.t.Errorf("the plan shows the Secret's value:\n%s", r)
	}
	if now := versions(); now != before {
		h.t.Errorf("the plan changed something; before:\n%s\nafter:\n%s", before, now)
	}
}

// pruned: what the next release lacks goes, but for data, and for what is
// somebody else's.
func (h *harbour) pruned() string {
	h.apply("apiVersion: v1\nkind: Service\nmetadata: {name: foreign}\nspec: {ports: [{port: 80}]}\n")
	h.in("get", "service", "tiny-side")
	h.write("k8s/tiny.yaml", strings.Replace(tinyManifests, `ROUND: "0"`, `ROUND: "1"`, 1))
	h.commit("less of it")
	second := h.run().wants(0, "deployed").report.Release
	h.agrees("tiny", second)
	services := strings.Fields(h.in("get", "services", "-o", "jsonpath={.items[*].metadata.name}"))
	if !slices.Equal(services, []string{"foreign", "tiny"}) {
		h.t.Errorf("services after the release without tiny-side: %v", services)
	}
	h.in("get", "persistentvolumeclaim", "tiny-data")
	return second
}

// secretive: a Secret's value is in the Secret and nowhere else, and a rollback
// uses the one that is there.
func (h *harbour) secretive(first, second string) {
	secrets := func() string {
		return h.in("get", "secrets", "-o", `jsonpath={range .items[?(@.immutable==true)]}{.metadata.name} {.metadata.uid}{"\n"}{end}`)
	}
	before := secrets()
	if strings.Count(before, "\n") != 0 || before == "" {
		h.t.Errorf("one immutable Secret was wanted: %q", before)
	}
	h.slipway("rollback", "--env", "prod", "--why", "to see the Secret").exits(0)
	h.agrees("tiny", first)
	if now := secrets(); now != before {
		h.t.Errorf("the Secrets were %q and are %q", before, now)
	}
	h.slipway("releases", "unquarantine", second, "--why", "it was good").exits(0)
	h.slipway("rollback", "--env", "prod", "--to", second).exits(0)
	h.nowhere(planted)
}

// nowhere: the text is not in what commands printed, not in the state folder, and
// not in the cluster's ConfigMaps, Deployments and events.
func (h *harbour) nowhere(text string) {
	h.t.Helper()
	hides := func(where, content string) {
		if strings.Contains(content, text) {
			h.t.Errorf("the Secret's value is in %s", where)
		}
	}
	for _, r := range h.said {
		hides("the output of slipway "+strings.Join(r.args, " "), r.stdout+r.stderr)
	}
	h.must(filepath.WalkDir(h.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.HasSuffix(path, "k8s/tiny.yaml") {
			return nil // the checkout of the commit that has it
		}
		content, err := os.ReadFile(path)
		hides(path, string(content))
		return err
	}))
	hides("the cluster", h.in("get", "configmaps,deployments,replicasets,pods,leases,events", "-o", "yaml"))
	for _, c := range h.recorded() {
		hides("a release's record", c)
	}
}
