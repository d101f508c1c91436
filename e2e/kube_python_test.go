//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Deploys the Python example with its manifests to a namespace of a real cluster,
// without its tests: TestRetail_Python runs them.
func TestKubeRetailPython(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	requireCluster(t)
	p := retailPython(t, root)
	text := p.read(p.dir + "/slipway.yaml")
	begin, end := strings.Index(text, "test:\n"), strings.Index(text, "image: ")
	if begin < 0 || end < begin {
		t.Fatal("slipway.yaml has no tests before its image")
	}
	p.write("slipway.yaml", text[:begin]+text[end:])
	// Settings for the local target would override the manifests.
	for _, line := range []string{"  replicas: 2\n", "  memory: 512MiB\n", "  env: {E2E_BASE: " + p.base + "}\n"} {
		p.edit("slipway.yaml", line, "")
	}
	h := newClusterProject(t, p)
	h.edit("slipway.yaml", "deploy:\n", "deploy:\n  manifests: [k8s/]\n")
	h.edit("k8s/retail.yaml", "metadata: {name: mlops}", "metadata: {name: "+h.namespace+"}")
	p.runTool("python3", "-m", "training.generate")
	h.commit("Retail in Python")

	h.run("--until", "push").wantExit(0)
	h.run("--until", "register").wantExit(0)
	r := h.runBalanced("retail-python", func() {}).wantRun(0, "deployed")
	bothReady := func() bool { // the autoscaler looks every 15 s, and may add the second one only now
		st := h.status("prod")
		return st.Health == "healthy" && len(st.Replicas) == 2
	}
	h.eventually(time.Minute, bothReady)
	st := h.requireServing("retail-python", r.report.Release)
	for _, pod := range h.pods() {
		if image := h.registry + "/retail-python@" + st.Image.Digest; pod.Spec.Containers[0].Image != image {
			t.Errorf("image of a pod = %s, want %s", pod.Spec.Containers[0].Image, image)
		}
	}
	h.requireManifestSettings()
	logs := h.slipway("logs", "--env", "prod").wantExit(0)
	if !strings.Contains(logs.stdout, `"msg": "serving"`) {
		t.Errorf("the service's log line is missing in slipway logs\n%s", logs)
	}

	h.edit("server/settings.py", "PREDICT_BUDGET = 1.0", "PREDICT_BUDGET = 1e-9")
	h.commit("a budget that nothing keeps")
	if r := h.run().wantRun(3, "rolled_back"); !strings.Contains(r.report.Cause, "500") {
		t.Errorf("status 500 not found in the cause: %s", r.report.Cause)
	}
	h.eventually(time.Minute, bothReady)
	h.requireServing("retail-python", st.Release)
}

// requireManifestSettings checks the objects that the example's README describes.
func (h *clusterProject) requireManifestSettings() {
	h.t.Helper()
	var service struct {
		Spec struct {
			Type  string
			Ports []struct{ Port int }
		}
	}
	h.must(json.Unmarshal([]byte(h.kubectlIn("get", "service", "retail-python", "-o", "json")), &service))
	if service.Spec.Type != "LoadBalancer" || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 80 {
		h.t.Errorf("Service = %+v, want type LoadBalancer and port 80", service)
	}
	var scaler struct {
		Spec struct{ MinReplicas, MaxReplicas int }
	}
	h.must(json.Unmarshal([]byte(h.kubectlIn("get", "hpa", "retail-python", "-o", "json")), &scaler))
	if scaler.Spec.MinReplicas != 2 || scaler.Spec.MaxReplicas != 5 {
		h.t.Errorf("HorizontalPodAutoscaler = %+v, want 2 to 5 replicas", scaler)
	}
	var account struct {
		Metadata struct{ Annotations map[string]string }
	}
	h.must(json.Unmarshal([]byte(h.kubectlIn("get", "serviceaccount", "retail-python", "-o", "json")), &account))
	if !strings.HasPrefix(account.Metadata.Annotations["eks.amazonaws.com/role-arn"], "arn:aws:iam::") {
		h.t.Errorf("ServiceAccount = %+v, want a role ARN", account)
	}
}
