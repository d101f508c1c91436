//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// existingObjects are what kubectl applied before Slipway came: a Deployment and a
// Service by the names of the manifests, with settings that these lack.
const existingObjects = `apiVersion: v1
kind: ConfigMap
metadata: {name: old-weights}
data: {weights.txt: "2"}
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
        - name: server
          image: IMAGE
          env: [{name: PORT, value: "8000"}, {name: MODEL_PATH, value: /old}, {name: MODEL_VERSION, value: "0"}, {name: LEGACY, value: "1"}]
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 2}}}
          resources: {requests: {cpu: 10m, memory: 16Mi}}
          volumeMounts: [{name: weights, mountPath: /old}]
      volumes: [{name: weights, configMap: {name: old-weights}}]
---
apiVersion: v1
kind: Service
metadata: {name: tiny, labels: {team: ours}}
spec:
  selector: {app: tiny}
  ports: [{name: http, port: 80, targetPort: http}]
`

const existingAutoscaler = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: tiny}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: tiny}
  minReplicas: 3
  maxReplicas: 4
`

// newExistingProject returns the tiny service and its image, which no run has deployed.
func newExistingProject(t *testing.T) (h *clusterProject, image string) {
	t.Helper()
	h = newTinyClusterProject(t, tinyManifests)
	h.edit("slipway.yaml", "expect: [body.doubled == 2, body.model_version == model_version]", "expect: [body.doubled == 2]")
	h.commit("check what every model has")
	r := h.run("--until", "push").wantExit(0)
	var last struct{ Image struct{ Digest string } }
	h.must(json.Unmarshal([]byte(r.stdout[strings.LastIndex(strings.TrimSpace(r.stdout), "\n")+1:]), &last))
	return h, h.registry + "/tiny@" + last.Image.Digest
}

// applyExisting applies what is to serve before the first deploy, and waits for its
// pods and until kube-proxy leads to them: it may take a second longer.
func (h *clusterProject) applyExisting(image string) {
	h.t.Helper()
	h.apply(strings.ReplaceAll(existingObjects, "IMAGE", image))
	h.kubectlIn("rollout", "status", "deployment/tiny", "--timeout=60s")
	url := h.serviceURL("tiny")
	if !h.eventually(20*time.Second, func() bool {
		resp, err := client.Get(url + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	}) {
		h.t.Error("the Service leads to no pod")
	}
}

// podUIDs returns the pods that are not being deleted, and how often their containers
// were restarted.
func (h *clusterProject) podUIDs() []string {
	h.t.Helper()
	type pod struct {
		Metadata struct{ UID, DeletionTimestamp string }
		Status   struct{ ContainerStatuses []struct{ RestartCount int } }
	}
	var all []string
	for _, p := range getJSON[struct{ Items []pod }](h, "pods").Items {
		if p.Metadata.DeletionTimestamp == "" {
			all = append(all, fmt.Sprint(p.Metadata.UID, p.Status.ContainerStatuses))
		}
	}
	slices.Sort(all)
	return all
}

// The first deploy onto what kubectl has applied: it is release 0. A failed release
// leaves it as it was, with the same pods; a good one replaces it, with the fields that
// only kubectl had set; and a rollback returns to it. No request is lost.
func TestTargets_FirstDeploy_ReleaseZero(t *testing.T) {
	t.Parallel()
	h, image := newExistingProject(t)
	h.applyExisting(image)
	pods, url := h.podUIDs(), h.serviceURL("tiny")
	h.slipway("plan", "--env", "prod").wantExit(0).
		wantText("becomes release 0", "Deployment tiny: takes over the fields of kubectl-client-side-apply", "ConfigMap old-weights", "2 ready replicas, checked at /ready")
	h.setBehaviour("predict fails")
	h.underLoad(url, predictBody, 0, func() result { return h.run().wantRun(3, "rolled_back") })
	if now := h.podUIDs(); !slices.Equal(now, pods) {
		t.Fatalf("pods after the failed release = %q, want those of before: %q", now, pods)
	}
	zero := h.status("prod")
	if zero.Health != "healthy" || len(zero.History) != 2 || zero.History[1].Release != zero.Release || !strings.Contains(zero.History[1].Reason, "kubectl-client-side-apply") {
		t.Fatalf("status = %+v, want release 0, healthy and imported", zero)
	}
	h.setBehaviour("good")
	good := h.underLoad(url, predictBody, 0, func() result { return h.run().wantRun(0, "deployed") }).report.Release
	h.requireServing("tiny", good)
	if env := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.template.spec.containers[*].env[*].name}"); strings.Contains(env, "LEGACY") {
		t.Errorf("variables of the new release = %s, want none that only release 0 had", env)
	}
	h.underLoad(url, predictBody, 0, func() result { return h.slipway("rollback", "--env", "prod", "--why", "to see release 0").wantExit(0) })
	if st := h.status("prod"); st.Release != zero.Release || st.Health != "healthy" {
		t.Errorf("status after the rollback = %+v, want release 0, healthy", st)
	}
	if env := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.template.spec.containers[*].env[*].name}"); !strings.Contains(env, "LEGACY") {
		t.Errorf("variables of release 0 = %s, want those of before", env)
	}
}

// importReport is the result of `slipway import --json`.
type importReport struct {
	Release string
	Changed bool
	Objects []struct {
		Kind, Name string
		Managers   []string
	}
	Notes []string
}

// What serves is recorded without deploying: the same pods, as many as the autoscaler
// wants, before and after the next release, too.
func TestTargets_FirstDeploy_Import(t *testing.T) {
	t.Parallel()
	h, image := newExistingProject(t)
	h.applyExisting(image)
	h.apply(existingAutoscaler)
	h.eventually(30*time.Second, func() bool {
		return h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.status.readyReplicas}") == "3"
	})
	h.edit("k8s/tiny.yaml", "  replicas: 2\n", "")
	h.commit("leave the number of replicas to the autoscaler")
	pods, url := h.podUIDs(), h.serviceURL("tiny")
	var got importReport
	h.underLoad(url, predictBody, 0, func() result {
		got = runJSON[importReport](h.project, "import", "--env", "prod")
		return result{}
	})
	if now := h.podUIDs(); !slices.Equal(now, pods) || len(pods) != 3 {
		t.Fatalf("pods after the import = %q, want those of before: %q", now, pods)
	}
	if !got.Changed || len(got.Objects) != 2 || !strings.Contains(strings.Join(got.Notes, "\n"), "HorizontalPodAutoscaler tiny is not in the manifests") {
		t.Errorf("import = %+v, want Service and Deployment, and a note about the autoscaler", got)
	}
	if again := runJSON[importReport](h.project, "import", "--env", "prod"); again.Changed || again.Release != got.Release {
		t.Errorf("second import = %+v, want release %s, unchanged", again, got.Release)
	}
	if st := h.status("prod"); st.Release != got.Release || st.Health != "healthy" {
		t.Errorf("status = %+v, want release %s, healthy", st, got.Release)
	}
	good := h.underLoad(url, predictBody, 0, func() result { return h.run().wantRun(0, "deployed") }).report.Release
	h.requireServing("tiny", good)
	if n := len(h.pods()); n != 3 {
		t.Errorf("the release has %d pods, want the autoscaler's 3", n)
	}
	h.slipway("import", "--env", "prod").wantExit(2).wantText("nothing is left to import")
}

// What can't become a release is refused before anything changes, with the reason.
func TestTargets_FirstDeploy_Refused(t *testing.T) {
	t.Parallel()
	h, image := newExistingProject(t)
	refused := func(reason string) {
		t.Helper()
		pods := h.podUIDs()
		h.slipway("plan", "--env", "prod").wantExit(2).wantText(reason)
		h.run().wantRun(1, "failed").wantText(reason)
		if now := h.podUIDs(); !slices.Equal(now, pods) {
			t.Errorf("pods after the refusal = %q, want those of before: %q", now, pods)
		}
	}
	h.apply(strings.ReplaceAll(strings.Replace(existingObjects, "kind: Deployment", "kind: StatefulSet", 1), "IMAGE", image))
	h.kubectlIn("rollout", "status", "statefulset/tiny", "--timeout=60s")
	refused("StatefulSet tiny, not to a Deployment")
	h.kubectlIn("delete", "statefulset", "tiny", "--cascade=foreground")
	h.applyExisting(image)
	h.kubectlIn("set", "env", "deployment/tiny", "TINY_BEHAVIOUR=never ready")
	h.eventually(10*time.Second, func() bool { return len(h.pods()) == 3 })
	refused("Deployment tiny in namespace " + h.namespace + " is being rolled out by someone else")
}

// runBalanced delivers to prod, where nothing gives a Service of type LoadBalancer an
// address, and does that as soon as the run waits for it.
func (h *clusterProject) runBalanced(service string, meanwhile func(), more ...string) result {
	h.t.Helper()
	r := h.start(append([]string{"run", "--env", "prod", "--json"}, more...)...)
	waits := func(e runEvent) bool {
		return e.Kind == "step.progress" && e.Text == "waiting for users' own address: Service "+service+" has no load balancer"
	}
	if _, ok := r.waitForEvent(waits); !ok {
		h.t.Fatalf("the run did not wait for the load balancer:\n%s", r.wait())
	}
	meanwhile()
	address := h.kubectlIn("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
	h.kubectlIn("patch", "service", service, "--subresource=status", "--type=merge", "-p", `{"status":{"loadBalancer":{"ingress":[{"ip":"`+address+`"}]}}}`)
	return r.wait()
}

// Users' own address is waited for: a first release is not done through the API server
// alone while its load balancer is being made.
func TestTargets_FirstDeploy_LoadBalancer(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, strings.Replace(tinyManifests, "metadata: {name: tiny}\nspec:\n  selector: {app", "metadata: {name: tiny}\nspec:\n  type: LoadBalancer\n  selector: {app", 1))
	const unreachable = "users can't reach it: Service tiny has no load balancer"
	h.runBalanced("tiny", func() {
		if st := h.status("prod"); !strings.Contains(strings.Join(st.Notes, "\n"), unreachable) {
			t.Errorf("notes = %q, want that users can't reach it", st.Notes)
		}
	}).wantRun(0, "deployed")
	if st := h.status("prod"); strings.Contains(strings.Join(st.Notes, "\n"), unreachable) || !strings.HasSuffix(st.URL, ":80") {
		t.Errorf("status = %+v, want the load balancer's address", st)
	}
}

// A run that is killed while it takes over what serves is continued by the next one: no
// request is lost, and what served is release 0, with the same pods until it is replaced.
func TestTargets_FirstDeploy_Killed(t *testing.T) {
	t.Parallel()
	h, image := newExistingProject(t)
	h.applyExisting(image)
	url := h.serviceURL("tiny")
	h.setBehaviour("predict fails")
	pods := h.podUIDs()
	h.underLoad(url, predictBody, 0, func() result {
		r := h.start("run", "--env", "prod", "--json")
		taking := func(e runEvent) bool { return strings.HasPrefix(e.Text, "taking over the fields of Deployment tiny") }
		if _, ok := r.waitForEvent(taking); !ok {
			t.Fatalf("the run took nothing over:\n%s", r.wait())
		}
		r.kill()
		return h.run()
	})
	if now := h.podUIDs(); !slices.Equal(now, pods) {
		t.Errorf("pods after the failed release = %q, want those of before: %q", now, pods)
	}
	st := h.status("prod")
	if st.Health != "healthy" || len(st.History) == 0 || !strings.Contains(st.History[len(st.History)-1].Reason, "imported") || st.History[len(st.History)-1].Release != st.Release {
		t.Errorf("status = %+v, want release 0, healthy", st)
	}
	if paused := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.paused}"); paused != "" {
		t.Errorf("paused = %s, want the Deployment to go on", paused)
	}
}
