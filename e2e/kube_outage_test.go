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

// recorded are the releases that the cluster keeps, unpacked.
func (h *harbour) recorded() []string {
	h.t.Helper()
	type record struct {
		BinaryData map[string][]byte
	}
	var out []string
	for _, r := range found[struct{ Items []record }](h, "configmaps", "-l", recordLabel+"=release").Items {
		for _, packed := range r.BinaryData {
			z, err := gzip.NewReader(bytes.NewReader(packed))
			h.must(err)
			text, err := io.ReadAll(z)
			h.must(err)
			out = append(out, string(text))
		}
	}
	if len(out) == 0 {
		h.t.Error("the cluster keeps no release")
	}
	return out
}

// elsewhere is a clone on another machine: nothing of Slipway's but the cluster.
func (h *harbour) elsewhere(name string) *project {
	h.t.Helper()
	other := *h.project
	base := filepath.Join(h.base, name)
	other.dir, other.home, other.said = filepath.Join(base, "repo"), filepath.Join(base, "repo", ".slipway"), nil
	h.git("clone", "-q", h.dir, other.dir)
	return &other
}

// fromElsewhere: who has only the cluster sees what serves, and goes back to what
// was there before: image, model and configuration.
func (h *harbour) fromElsewhere() {
	before := h.status("prod")
	h.agrees("tiny", before.Release)
	configs, used := h.configMaps(), h.referred("tiny")
	h.edit("k8s/tiny.yaml", "GREETING: hello", "GREETING: goodbye")
	h.edit("main.go", "2 * asked.N", "asked.N + asked.N")
	h.edit("weights.txt", "accuracy=0.9", "accuracy=0.95")
	h.commit("everything new")
	newer := h.run().wants(0, "deployed").report.Release
	h.agrees("tiny", newer)

	other := h.elsewhere("elsewhere")
	if st := other.status("prod"); st.Release != newer || st.Health != "healthy" || st.Replaced != before.Release || len(st.History) < 2 {
		h.t.Fatalf("from elsewhere: %+v", st)
	}
	// The champion's metrics came along: a model is measured against it here too.
	other.slipway("run", "--env", "prod", "--until", "evaluate", "--json").exits(0).says("champion.accuracy = 0.95")
	r := h.visited(h.reach("tiny"), `{"n": 1}`, 0, func() result {
		return other.slipway("rollback", "--env", "prod", "--why", "wrong greeting", "--json").exits(0)
	})
	now := h.agrees("tiny", before.Release)
	if now.Image.Digest != before.Image.Digest || now.Model.Digest != before.Model.Digest {
		h.t.Errorf("image and model were to be those of before: %+v, before %+v\n%s", now, before, r)
	}
	if h.referred("tiny") != used || !maps.Equal(keep(h.configMaps(), configs), configs) {
		h.t.Errorf("the configuration is %s %v, before %s %v", h.referred("tiny"), h.configMaps(), used, configs)
	}
	for _, st := range []status{now, other.status("prod")} {
		if len(st.Quarantined) == 0 || st.Quarantined[0].Release != newer || !strings.Contains(st.Quarantined[0].Reason, "wrong greeting") {
			h.t.Errorf("%s is not quarantined: %+v", newer, st.Quarantined)
		}
	}
}

// keep is what of a map has names that the other has too.
func keep(of, names map[string]string) map[string]string {
	out := map[string]string{}
	for name := range names {
		out[name] = of[name]
	}
	return out
}

// conflict: what another manager owns is named, and taken only when told to.
func (h *harbour) conflict() {
	owned := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: tiny, labels: {team: theirs}}\n"
	_, err := h.c.KubectlInput(h.t.Context(), owned, "-n", h.ns, "apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-")
	h.must(err)
	good := h.status("prod").Release
	h.edit("k8s/tiny.yaml", `ROUND: "1"`, `ROUND: "2"`)
	h.commit("against another manager")
	h.run().wants(1, "failed").says("labels.team", "managed by other", "take_over")
	h.agrees("tiny", good)
	h.edit("slipway.yaml", "{kubernetes: {", "{kubernetes: {take_over: true, ")
	h.commit("take it over")
	h.agrees("tiny", h.run().wants(0, "deployed").report.Release)
	if team := h.in("get", "deployment", "tiny", "-o", "jsonpath={.metadata.labels.team}"); team != "ours" {
		h.t.Errorf("the label is %s, want ours", team)
	}
}

// twoAtOnce: two Slipways with records of their own, which were the same until
// now, deliver one after the other.
func (h *harbour) twoAtOnce() {
	other := h.elsewhere("beside")
	other.tool("cp", "-a", h.home, other.home)
	h.edit("k8s/tiny.yaml", `ROUND: "2"`, "ROUND: here")
	h.commit("from here")
	other.edit("k8s/tiny.yaml", `ROUND: "2"`, "ROUND: there")
	other.commit("from there")
	here := h.start("run", "--env", "prod", "--json")
	here.reach("deploy")
	there := other.start("run", "--env", "prod", "--json")
	first, second := here.wait().wants(0, "deployed"), there.wait()
	// Its plan was made for what served before: it is not carried out unseen.
	second.wants(1, "failed").says("waiting for run "+first.report.Run, "after this run was planned", "start a new run")
	h.agrees("tiny", first.report.Release)
	again := other.run().wants(0, "deployed").report
	st := h.agrees("tiny", again.Release)
	if len(st.History) < 2 || st.History[0].Run != again.Run || st.History[1].Run != first.report.Run {
		h.t.Errorf("the history has not both, in order: %+v", st.History)
	}
}

// goesDown: nothing is left but data.
func (h *harbour) goesDown() {
	h.slipway("down", "--env", "prod").exits(0)
	left := h.in("get", "deployments,replicasets,pods,services,configmaps,secrets,leases,endpointslices", "-o", "name")
	var strange []string
	for _, name := range strings.Fields(left) {
		if name != "configmap/kube-root-ca.crt" && name != "service/foreign" {
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		h.t.Errorf("left after slipway down: %v", strange)
	}
	h.in("get", "persistentvolumeclaim", "tiny-data")
	if st := h.status("prod"); st.Release != "" || st.Health != "down" {
		h.t.Errorf("after slipway down: %+v", st)
	}
}
