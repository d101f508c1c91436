//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubeRetailPython delivers the Python example with its own manifests into a
// namespace of a real cluster. Its tests are left out: TestRetailPython runs them.
func TestKubeRetailPython(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	kube(t)
	p := retailPython(t, root)
	text := p.read(p.dir + "/slipway.yaml")
	begin, end := strings.Index(text, "test:\n"), strings.Index(text, "image: ")
	if begin < 0 || end < begin {
		t.Fatal("slipway.yaml has no tests before its image")
	}
	p.write("slipway.yaml", text[:begin]+text[end:])
	// What is said for the local target would take precedence over the manifests.
	for _, line := range []string{"  replicas: 2\n", "  memory: 512MiB\n", "  env: {E2E_BASE: " + p.base + "}\n"} {
		p.edit("slipway.yaml", line, "")
	}
	h := inCluster(t, p)
	h.edit("slipway.yaml", "deploy:\n", "deploy:\n  manifests: [k8s/]\n")
	h.edit("k8s/retail.yaml", "metadata: {name: mlops}", "metadata: {name: "+h.ns+"}")
	p.tool("python3", "-m", "training.generate")
	h.commit("Retail in Python")

	h.run("--until", "push").exits(0)
	h.run("--until", "register").exits(0)
	r := h.run().wants(0, "deployed")
	st := h.agrees("retail-python", r.report.Release)
	for _, pod := range h.pods() {
		if image := h.registry + "/retail-python@" + st.Image.Digest; pod.Spec.Containers[0].Image != image {
			t.Errorf("a pod runs %s, not %s", pod.Spec.Containers[0].Image, image)
		}
	}
	h.hasWhatTheManifestsSay()
	logs := h.slipway("logs", "--env", "prod").exits(0)
	if !strings.Contains(logs.stdout, `"msg": "serving"`) {
		t.Errorf("slipway logs does not show what the service said\n%s", logs)
	}

	h.edit("server/settings.py", "PREDICT_BUDGET = 1.0", "PREDICT_BUDGET = 1e-9")
	h.commit("a budget that nothing keeps")
	if r := h.run().wants(3, "rolled_back"); !strings.Contains(r.report.Cause, "500") {
		t.Errorf("the cause does not name the answer: %s", r.report.Cause)
	}
	h.agrees("retail-python", st.Release)
}

// hasWhatTheManifestsSay: the objects that the example's README promises.
func (h *harbour) hasWhatTheManifestsSay() {
	h.t.Helper()
	var service struct {
		Spec struct {
			Type  string
			Ports []struct{ Port int }
		}
	}
	h.must(json.Unmarshal([]byte(h.in("get", "service", "retail-python", "-o", "json")), &service))
	if service.Spec.Type != "LoadBalancer" || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].Port != 80 {
		h.t.Errorf("the Service: %+v", service)
	}
	var scaler struct {
		Spec struct{ MinReplicas, MaxReplicas int }
	}
	h.must(json.Unmarshal([]byte(h.in("get", "hpa", "retail-python", "-o", "json")), &scaler))
	if scaler.Spec.MinReplicas != 2 || scaler.Spec.MaxReplicas != 5 {
		h.t.Errorf("the HorizontalPodAutoscaler: %+v", scaler)
	}
	var account struct {
		Metadata struct{ Annotations map[string]string }
	}
	h.must(json.Unmarshal([]byte(h.in("get", "serviceaccount", "retail-python", "-o", "json")), &account))
	if !strings.HasPrefix(account.Metadata.Annotations["eks.amazonaws.com/role-arn"], "arn:aws:iam::") {
		h.t.Errorf("the ServiceAccount: %+v", account)
	}
}
