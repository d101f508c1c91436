//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newRetailClusterProject returns Retail with its manifests, in a namespace, without
// its tests: TestRetail_Go runs them.
func newRetailClusterProject(t *testing.T) *clusterProject {
	t.Helper()
	p := newUntestedRetail(t)
	h := newClusterProject(t, p)
	p.commitRetail()
	return h
}

// newUntestedRetail returns Retail, not committed yet, without its tests and without
// settings for the local target, which would override its manifests.
func newUntestedRetail(t *testing.T) *project {
	t.Helper()
	p := newProject(t)
	p.must(os.CopyFS(p.dir, os.DirFS("../examples/retail")))
	text := p.read(p.dir + "/slipway.yaml")
	begin, end := strings.Index(text, "test:\n"), strings.Index(text, "image: ")
	if begin < 0 || end < begin {
		t.Fatal("Retail's slipway.yaml has no tests before its image")
	}
	p.write("slipway.yaml", text[:begin]+text[end:])
	p.edit("slipway.yaml", "build: {go: ./cmd/api}", `build: {go: ./cmd/api, inputs: [cmd/api/**, internal/**, go.mod, go.sum]}`)
	for _, line := range []string{"  replicas: 2\n", "  memory: 256MiB\n"} {
		p.edit("slipway.yaml", line, "")
	}
	p.edit("slipway.yaml", "deploy:\n", "deploy:\n  manifests: [k8s/]\n")
	return p
}

// commitRetail generates the data, and commits everything.
func (p *project) commitRetail() {
	p.t.Helper()
	p.git("init", "-q", "-b", "main")
	p.runTool("go", "run", "./cmd/generate", "-out", "data/transactions.csv")
	p.commit("Retail")
}

// Deploys good and bad releases of Retail to a cluster.
func TestKubeRetail(t *testing.T) {
	t.Parallel()
	h := newRetailClusterProject(t)
	var good, model string
	for _, p := range []struct {
		name string
		do   func(before string) string
	}{
		{"good release", h.testFirstRelease},
		{"model only", h.testModelOnly},
		{"configuration only", h.testConfigOnly},
	} {
		if !h.scenario(p.name, func() { good = p.do(good) }) {
			t.FailNow() // the rest depends on it
		}
		if model == "" {
			model = h.pods()[0].Spec.InitContainers[0].Image
		}
	}
	h.testBadReleases(model)
}

// testFirstRelease: everything is pinned, and all sources agree on what is deployed.
func (h *clusterProject) testFirstRelease(string) string {
	r := h.run().wantRun(0, "deployed")
	st := h.requireServing("retail-api", r.report.Release)
	pods := h.pods()
	if len(pods) != 2 {
		h.t.Errorf("%d pods, want 2", len(pods))
	}
	for _, p := range pods {
		h.requirePinned(p, st)
	}
	verdict := runJSON[struct{ Release, Verdict string }](h.project, "verify", "--env", "prod")
	if verdict.Release != r.report.Release || verdict.Verdict != "passed" {
		h.t.Errorf("slipway verify = %+v, want passed", verdict)
	}
	logs := h.slipway("logs", "--env", "prod").wantExit(0)
	for _, p := range pods {
		if !strings.Contains(logs.stdout, p.Metadata.Name+" | ") {
			h.t.Errorf("no line of pod %s in slipway logs\n%s", p.Metadata.Name, logs)
		}
	}
	if !strings.Contains(logs.stdout, `"msg":"serving"`) {
		h.t.Errorf("the service's log line is missing in slipway logs\n%s", logs)
	}
	return r.report.Release
}

// requirePinned checks that the pod runs the release's digest, and got its model from
// the release's init container.
func (h *clusterProject) requirePinned(p pod, st status) {
	h.t.Helper()
	text, err := json.Marshal(p)
	h.must(err)
	api, image := p.Spec.Containers[0], h.registry+"/retail-api@"+st.Image.Digest
	env := map[string]string{}
	for _, v := range api.Env {
		env[v.Name] = v.Value
	}
	want := map[string]string{
		"SLIPWAY_RELEASE": st.Release, "MODEL_VERSION": fmt.Sprint(st.Model.Version), "MODEL_DIGEST": st.Model.Digest, "MODEL_PATH": "/model",
	}
	for name, value := range want {
		if env[name] != value {
			h.t.Errorf("%s is %q in the pod, want %q", name, env[name], value)
		}
	}
	values := slices.Collect(maps.Values(p.Metadata.Annotations))
	if api.Image != image || !slices.Contains(values, st.Model.Digest) {
		h.t.Errorf("the pod lacks image %s or model %s:\n%s", image, st.Model.Digest, text)
	}
	inits := p.Spec.InitContainers
	if len(inits) != 1 || !slices.Contains(inits[0].Args, st.Model.Digest) || !strings.Contains(inits[0].Image, "/retail-api@sha256:") {
		h.t.Fatalf("the pod has no init container with the pinned model:\n%s", text)
	}
	if ended := p.Status.InitContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != 0 {
		h.t.Errorf("the init container failed:\n%s", text)
	}
}

// deployOnce deploys the current commit under load, and checks that it created
// exactly one ReplicaSet, and new pods.
func (h *clusterProject) deployOnce(before string) (release string, was, is status) {
	h.t.Helper()
	was = h.requireServing("retail-api", before)
	sets, pods := h.replicaSets(), h.podNames()
	r := h.underLoad(was.URL, predictBody, 0, func() result { return h.run().wantRun(0, "deployed") })
	is = h.requireServing("retail-api", r.report.Release)
	if now := h.replicaSets(); len(now) != len(sets)+1 {
		h.t.Errorf("ReplicaSets = %v, want one more than %v", now, sets)
	}
	for _, name := range h.podNames() {
		if slices.Contains(pods, name) {
			h.t.Errorf("pod %s existed before the deploy", name)
		}
	}
	return r.report.Release, was, is
}

func (h *clusterProject) testModelOnly(before string) string {
	h.edit("slipway.yaml", "./cmd/train -data {{.Data}} -out {{.Output}}", "./cmd/train -l2 2e-5 -data {{.Data}} -out {{.Output}}")
	h.commit("another model")
	release, was, is := h.deployOnce(before)
	if is.Image.Digest != was.Image.Digest || is.Model.Version != was.Model.Version+1 || is.Model.Digest == was.Model.Digest {
		h.t.Errorf("status = %+v, want a new model with the same image as %+v", is, was)
	}
	for _, p := range h.pods() {
		h.requirePinned(p, is)
	}
	return release
}

// testConfigOnly: the new configuration has a new name, and the old one stays for a
// rollback.
func (h *clusterProject) testConfigOnly(before string) string {
	kept, used := h.configMaps(), h.usedConfigMap("retail-api")
	h.edit("k8s/api.yaml", "DRAIN_DELAY: 2s", "DRAIN_DELAY: 3s")
	h.commit("drain for longer")
	release, was, is := h.deployOnce(before)
	if is.Image.Digest != was.Image.Digest || is.Model.Digest != was.Model.Digest {
		h.t.Errorf("image or model changed (-before +now):\n%s", cmp.Diff([]any{was.Image, was.Model}, []any{is.Image, is.Model}))
	}
	now := h.configMaps()
	if fresh := h.usedConfigMap("retail-api"); fresh == used || !strings.Contains(now[fresh], `"3s"`) || !strings.Contains(kept[used], `"2s"`) {
		h.t.Errorf("ConfigMap of the Deployment = %s, want another one than %s: %v", fresh, used, now)
	}
	if now[used] != kept[used] {
		h.t.Errorf("ConfigMap %s changed from %q to %q", used, kept[used], now[used])
	}
	return release
}
