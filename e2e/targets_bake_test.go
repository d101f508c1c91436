//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// goodManifests are the tiny manifests without a request for CPU.
func goodManifests() string { return strings.Replace(tinyManifests, "cpu: 10m, ", "", 1) }

// probed returns the tiny manifests as release round, with more variables for the
// service and more fields of its container.
func probed(round, variables, container string) string {
	text := strings.Replace(goodManifests(), `ROUND: "0"`, fmt.Sprintf("ROUND: %q%s", round, variables), 1)
	return strings.Replace(text, "          ports: [{name", container+"          ports: [{name", 1)
}

// newBakeProject returns the tiny service in a cluster, with a bake time and a release
// that is good.
func newBakeProject(t *testing.T, bake string) (h *clusterProject, good string) {
	t.Helper()
	h = newTinyClusterProject(t, "")
	good = h.deliver(goodManifests(), "as it should be", 0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.edit("slipway.yaml", "bake: 300ms", "bake: "+bake)
	return h, good
}

// wantCause checks that the words are in the cause of a run.
func (r result) wantCause(words ...string) result {
	r.p.t.Helper()
	for _, word := range words {
		if !strings.Contains(r.report.Cause, word) {
			r.p.t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
		}
	}
	return r
}

// A good release that takes longer to start than its readiness probe would allow, and
// not longer than its startup probe does.
func TestTargets_K1_SlowStart(t *testing.T) {
	t.Parallel()
	h, _ := newBakeProject(t, "300ms")
	slow := probed("slow", ", TINY_START_AFTER: 14s", "          startupProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1, failureThreshold: 60}\n")
	r := h.deliver(slow, "load the model for 14 s", 0, "deployed")
	h.requireServing("tiny", r.report.Release)
}

// Pods that their liveness probe kills again and again lose what is sent to them
// meanwhile: the release is rolled back with that cause.
func TestTargets_K3_LivenessKills(t *testing.T) {
	t.Parallel()
	h, good := newBakeProject(t, "40s")
	const liveness = "          livenessProbe: {httpGet: {path: /live, port: http}, periodSeconds: 1, failureThreshold: 2}\n"
	r := h.deliver(probed("killed", ", TINY_LIVE_FOR: 7s", liveness), "dies after 7 s", 3, "rolled_back").wantCause("restarted: ", "liveness probe", "503")
	if took := r.step("watch").Seconds; took > 30 {
		t.Errorf("the bake took %.0f s, want its end soon after the restart", took)
	}
	h.requireRolledBack("tiny", good, r)

	// The same, where it must not go back by itself.
	h.edit("slipway.yaml", "  within: 5s\n", "  within: 5s\n  on_failure: hold\n")
	held := h.deliver(probed("held", ", TINY_LIVE_FOR: 8s", liveness), "dies after 8 s", 1, "failed").wantCause("held: ").report.Release
	st := h.status("prod")
	if st.Traffic != held || st.Release != good || st.History[0].State != "held" || len(st.Quarantined) != 1 {
		t.Errorf("status = %+v, want %s held, with the traffic, and only the one before quarantined", st, held)
	}
	h.slipway("rollback", "--env", "prod", "--why", "it dies").wantExit(0)
	if st := h.requireServing("tiny", good); len(st.Quarantined) != 2 {
		t.Errorf("Quarantined = %+v, want the held release as well", st.Quarantined)
	}
}

// Pods that stop being ready for a while, again and again, and are never restarted.
func TestTargets_K2_ReadinessFlaps(t *testing.T) {
	t.Parallel()
	h, good := newBakeProject(t, "40s")
	r := h.deliver(probed("flaps", ", TINY_READY_FOR: 8s", ""), "is not ready after 8 s", 3, "rolled_back").wantCause("replica", "ready for")
	h.requireRolledBack("tiny", good, r)
}

// An init container that hangs is named while it is waited for, without a terminal as
// well, and its Deployment's deadline ends the wait.
func TestTargets_K5_InitContainerHangs(t *testing.T) {
	t.Parallel()
	h, good := newBakeProject(t, "300ms")
	text := strings.Replace(probed("hangs", "", ""), "      containers:\n", "      initContainers: [{name: wait-for-db, image: tiny, env: [{name: TINY_BEHAVIOUR, value: hangs}]}]\n      containers:\n", 1)
	text = strings.Replace(text, "  replicas: 2\n", "  replicas: 2\n  progressDeadlineSeconds: 35\n", 1)
	h.write("k8s/tiny.yaml", text)
	h.commit("waits for a database")
	r := h.slipway("run", "--env", "prod").wantExit(3).wantText("the database does not exist yet")
	for _, line := range []string{`deploy +running for [13]\ds  0 of 2 pods ready; init container wait-for-db of pod \S+ has not ended after`, `init container wait-for-db of pod \S+ has not ended after 3\ds`} {
		if !regexp.MustCompile(line).MatchString(r.stdout + r.stderr) {
			t.Errorf("%q does not match the output\n%s", line, r)
		}
	}
	if st := h.requireServing("tiny", good); len(st.Quarantined) != 1 {
		t.Errorf("Quarantined = %+v, want the release that hangs", st.Quarantined)
	}
}

// What the namespace lacks is named, and no verdict on the release: it comes in once
// the namespace has it.
func TestTargets_K20_NamespaceTrouble(t *testing.T) {
	t.Parallel()
	h, good := newBakeProject(t, "300ms")
	for _, c := range []struct {
		name, text, words string
		harm, mend        func()
	}{
		{"quota", probed("quota", "", ""), "exceeded quota",
			func() { h.kubectlIn("create", "quota", "full", "--hard=pods=2") }, func() { h.kubectlIn("delete", "quota", "full") }},
		{"limits", probed("limits", "", "          resources: {limits: {memory: 512Mi}}\n"), "maximum memory usage per Container is 256Mi",
			func() {
				h.apply("apiVersion: v1\nkind: LimitRange\nmetadata: {name: small}\nspec: {limits: [{type: Container, max: {memory: 256Mi}}]}\n")
			}, func() { h.kubectlIn("delete", "limitrange", "small") }},
		{"K7 Secret", probed("secret", "", "          volumeMounts: []\n          env: [{name: PORT, value: \"8000\"}, {name: TOKEN, valueFrom: {secretKeyRef: {name: elsewhere, key: token}}}]\n"), `secret "elsewhere" not found`,
			func() {}, func() { h.kubectlIn("create", "secret", "generic", "elsewhere", "--from-literal=token=x") }},
	} {
		h.scenario(c.name, func() {
			text := c.text
			if strings.Count(text, "          env: ") > 1 { // the last of two is the one that was there
				text = strings.Replace(text, "          env: [{name: PORT, value: \"8000\"}]\n", "", 1)
			}
			if strings.Contains(text, "limits: {memory") {
				text = strings.Replace(text, "          resources: {requests: {memory: 16Mi}}\n", "", 1)
			}
			c.harm()
			r := h.deliver(text, "lacks: "+c.name, 3, "rolled_back").wantCause(c.words)
			h.requireNotQuarantined("tiny", good, r)
			c.mend()
			again := h.run().wantRun(0, "deployed").report.Release
			if again != r.report.Release {
				h.t.Errorf("deployed %s, want the release of before, %s", again, r.report.Release)
			}
			good = again
		})
	}
}

// A Service that leads to a port where nothing listens: the cause says so, and neither
// the deploy nor the rollback waits for long.
func TestTargets_K13_WrongTargetPort(t *testing.T) {
	t.Parallel()
	h, good := newBakeProject(t, "300ms")
	h.edit("slipway.yaml", "within: 5s", "within: 15s") // a request may take a tenth of it
	begun := time.Now()
	r := h.deliver(strings.Replace(probed("port", "", ""), "targetPort: http", "targetPort: 9999", 1), "to a port without a listener", 3, "rolled_back").wantCause("9999")
	if took := time.Since(begun); took > 45*time.Second {
		t.Errorf("took %s", took)
	}
	h.requireRolledBack("tiny", good, r)
}

// A release that fails in production keeps the traffic where the file says so, until a
// person goes back, or a release is accepted.
func TestTargets_OnFailureHold(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	p.edit("slipway.yaml", "  within: 5s\n", "  within: 5s\n  on_failure: hold\n")
	p.edit("slipway.yaml", "bake: 300ms", "bake: 3s")
	p.edit("slipway.yaml", "error_rate: 0.05", "error_rate: 1") // the restart counts, not the request that causes it
	p.setBehaviour("poison")
	good := p.run().wantRun(0, "deployed").report.Release

	bad := p.holdOne("1")
	st := p.status("prod")
	if st.Release != good || st.Traffic != bad || st.History[0].State != "held" || len(st.Quarantined) != 0 {
		t.Fatalf("status = %+v, want %s to have the traffic, held, and nothing quarantined", st, bad)
	}
	p.slipway("status", "--env", "prod").wantExit(0).wantText("held", bad, "slipway rollback --env prod")
	p.slipway("rollback", "--env", "prod", "--why", "it loses replicas").wantExit(0)
	if st := p.wantDeployed(good); !slices.ContainsFunc(st.Quarantined, func(q struct{ Release, Reason string }) bool { return q.Release == bad }) {
		t.Errorf("Quarantined = %+v, want %s", st.Quarantined, bad)
	}

	bad = p.holdOne("2")
	p.wantDeployed(p.run().wantRun(0, "deployed").report.Release) // of the same commit, without poison
	if st := p.status("prod"); st.Release != bad || len(st.Quarantined) != 1 {
		t.Errorf("status = %+v, want %s accepted at the second try", st, bad)
	}
}

// holdOne delivers a release that loses a replica in its bake time, and is held.
func (p *project) holdOne(round string) (release string) {
	p.t.Helper()
	p.edit("slipway.yaml", `ROUND: "0"`, `AGAIN`+round+`: "yes", ROUND: "0"`)
	p.commit("round " + round)
	run := p.start("run", "--env", "prod", "--json")
	run.waitForStep("watch")
	if status, _ := predict(p.status("prod").URL, 13); status == http.StatusOK {
		p.t.Error("the poison did no harm")
	}
	return run.wait().wantRun(1, "failed").wantCause("restarted: ", "held: ").report.Release
}
