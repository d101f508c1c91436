//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"path/filepath"
	"strings"
)

// releaseRecords returns the unpacked releases that are stored in the cluster.
func (h *clusterProject) releaseRecords() []string {
	h.t.Helper()
	type record struct {
		BinaryData map[string][]byte
	}
	var out []string
	for _, r := range getJSON[struct{ Items []record }](h, "configmaps", "-l", recordLabel+"=release").Items {
		for _, packed := range r.BinaryData {
			z, err := gzip.NewReader(bytes.NewReader(packed))
			h.must(err)
			text, err := io.ReadAll(z)
			h.must(err)
			out = append(out, string(text))
		}
	}
	if len(out) == 0 {
		h.t.Error("no releases stored in the cluster")
	}
	return out
}

// cloneElsewhere returns a clone as on another machine, without Slipway's state
// folder.
func (h *clusterProject) cloneElsewhere(name string) *project {
	h.t.Helper()
	other := *h.project
	base := filepath.Join(h.base, name)
	other.dir, other.home, other.results = filepath.Join(base, "repo"), filepath.Join(base, "repo", ".slipway"), nil
	h.git("clone", "-q", h.dir, other.dir)
	return &other
}

// testOtherMachine: a machine that has only the cluster sees what is deployed, and
// rolls back image, model and configuration.
func (h *clusterProject) testOtherMachine() {
	before := h.status("prod")
	h.requireServing("tiny", before.Release)
	configs, used := h.configMaps(), h.usedConfigMap("tiny")
	h.edit("k8s/tiny.yaml", "GREETING: hello", "GREETING: goodbye")
	h.edit("main.go", `"no idea"`, `"no clue"`)
	h.edit("weights.txt", "accuracy=0.9", "accuracy=0.95")
	h.commit("everything new")
	newer := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", newer)

	other := h.cloneElsewhere("elsewhere")
	if st := other.status("prod"); st.Release != newer || st.Health != "healthy" || st.Replaced != before.Release || len(st.History) < 2 {
		h.t.Fatalf("status on the other machine = %+v, want %s in place of %s, healthy, with history", st, newer, before.Release)
	}
	// The champion's metrics are available: models are compared with it here too.
	other.slipway("run", "--env", "prod", "--until", "evaluate", "--json").wantExit(0).wantText("champion.accuracy = 0.95")
	r := h.underLoad(h.serviceURL("tiny"), `{"n": 1}`, 0, func() result {
		return other.slipway("rollback", "--env", "prod", "--why", "wrong greeting", "--json").wantExit(0)
	})
	now := h.requireServing("tiny", before.Release)
	if now.Image.Digest != before.Image.Digest || now.Model.Digest != before.Model.Digest {
		h.t.Errorf("image %+v with model %+v after the rollback, want %+v with %+v\n%s", now.Image, *now.Model, before.Image, *before.Model, r)
	}
	if h.usedConfigMap("tiny") != used || !maps.Equal(restrictTo(h.configMaps(), configs), configs) {
		h.t.Errorf("configuration after the rollback: %s %v, want %s %v", h.usedConfigMap("tiny"), h.configMaps(), used, configs)
	}
	for _, st := range []status{now, other.status("prod")} {
		if len(st.Quarantined) == 0 || st.Quarantined[0].Release != newer || !strings.Contains(st.Quarantined[0].Reason, "wrong greeting") {
			h.t.Errorf("Quarantined = %+v, want %s first, for %q", st.Quarantined, newer, "wrong greeting")
		}
	}
}

// restrictTo returns the entries of a map whose names are in another one.
func restrictTo(of, names map[string]string) map[string]string {
	out := map[string]string{}
	for name := range names {
		out[name] = of[name]
	}
	return out
}

// testFieldConflict: a field owned by another manager is named, and only taken over
// on request.
func (h *clusterProject) testFieldConflict() {
	owned := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: tiny, labels: {team: theirs}}\n"
	_, err := h.cluster.KubectlInput(h.t.Context(), owned, "-n", h.namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-")
	h.must(err)
	good := h.status("prod").Release
	h.edit("k8s/tiny.yaml", `ROUND: "1"`, `ROUND: "2"`)
	h.commit("against another manager")
	h.run().wantRun(1, "failed").wantText("labels.team", "managed by other", "take_over")
	h.requireServing("tiny", good)
	h.edit("slipway.yaml", "{kubernetes: {", "{kubernetes: {take_over: true, ")
	h.commit("take it over")
	h.requireServing("tiny", h.run().wantRun(0, "deployed").report.Release)
	if team := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.metadata.labels.team}"); team != "ours" {
		h.t.Errorf("label team = %s, want ours", team)
	}
}

// testConcurrentRuns: two machines with separate copies of the records deploy one
// after the other.
func (h *clusterProject) testConcurrentRuns() {
	other := h.cloneElsewhere("beside")
	other.runTool("cp", "-a", h.home, other.home)
	other.env = append(other.env, "SLIPWAY_HOME="+other.home) // it is a copy
	h.edit("k8s/tiny.yaml", `ROUND: "2"`, "ROUND: here")
	h.commit("from here")
	other.edit("k8s/tiny.yaml", `ROUND: "2"`, "ROUND: there")
	other.commit("from there")
	here := h.start("run", "--env", "prod", "--json")
	here.waitForStep("deploy")
	there := other.start("run", "--env", "prod", "--json")
	first, second := here.wait().wantRun(0, "deployed"), there.wait()
	// Its plan was made for the release before, so it is refused.
	second.wantRun(1, "failed").wantText("waiting for run "+first.report.Run, "after this run was planned", "start a new run")
	h.requireServing("tiny", first.report.Release)
	again := other.run().wantRun(0, "deployed").report
	st := h.requireServing("tiny", again.Release)
	if len(st.History) < 2 || st.History[0].Run != again.Run || st.History[1].Run != first.report.Run {
		h.t.Errorf("History = %+v, want both runs in order", st.History)
	}
}

// testDown: only data is left.
func (h *clusterProject) testDown() {
	h.slipway("down", "--env", "prod").wantExit(0)
	left := h.kubectlIn("get", "deployments,replicasets,pods,services,configmaps,secrets,leases,endpointslices", "-o", "name")
	var strange []string
	for _, name := range strings.Fields(left) {
		if name != "configmap/kube-root-ca.crt" && name != "service/foreign" {
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		h.t.Errorf("objects after slipway down: %v, want none", strange)
	}
	h.kubectlIn("get", "persistentvolumeclaim", "tiny-data")
	if st := h.status("prod"); st.Release != "" || st.Health != "down" {
		h.t.Errorf("after slipway down: release %q, health %s, want none and down", st.Release, st.Health)
	}
}
