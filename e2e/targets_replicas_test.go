//go:build e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// bounds is an autoscaler that only raises to its minimum, whatever the load, and never
// scales down: the numbers that the tests see change by releases alone.
var bounds = strings.NewReplacer("averageUtilization: 50", "averageUtilization: 100000",
	"scaleDown: {stabilizationWindowSeconds: 600}", "scaleDown: {selectPolicy: Disabled}").Replace(autoscaler)

// silent is the manifests of a release that leaves the number of pods to an autoscaler.
func silent(greeting string) string {
	return strings.Replace(release(greeting), "  replicas: 2\n", "", 1) + bounds
}

// watchReplicas notes every number of pods that the Deployment is to have.
func (h *clusterProject) watchReplicas() (numbers func() []string) {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	seen := make(chan string, 1)
	go func() {
		out, _ := h.cluster.Kubectl(ctx, "-n", h.namespace, "get", "deployment", "tiny", "--watch", "-o", `jsonpath={.spec.replicas}{"\n"}`)
		seen <- out // until it was stopped, which is its error
	}()
	return func() []string {
		time.Sleep(time.Second) // the last change may be on its way
		stop()
		return slices.Compact(strings.Fields(<-seen))
	}
}

// requireReplicas delivers, and checks which numbers of pods the Deployment was to have.
func (h *clusterProject) requireReplicas(want string, do func() result) {
	h.t.Helper()
	numbers := h.watchReplicas()
	h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, do)
	if got := strings.Join(numbers(), " "); got != want {
		h.t.Errorf("spec.replicas was %s, want %s", got, want)
	}
}

func (h *clusterProject) scaleTo(n string) {
	h.t.Helper()
	h.kubectlIn("patch", "hpa", "tiny", "--type=merge", "-p", `{"spec":{"minReplicas":`+n+`}}`)
	if !h.eventually(2*time.Minute, func() bool {
		return h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.replicas} {.status.readyReplicas}") == n+" "+n
	}) {
		h.t.Fatalf("no scale-up:\n%s", h.kubectlIn("describe", "hpa", "tiny"))
	}
}

// Who names the number of pods changes from release to release; the number that serves
// changes only when no autoscaler decides about it any more.
func TestTargets_K23_Autoscaler(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	bad := strings.NewReplacer(`value: "8000"}`, `value: "8000"}, {name: TINY_BEHAVIOUR, value: crashes}`)
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"two pods", func() { h.requireServing("tiny", h.run().wantRun(0, "deployed").report.Release) }},
		{"bad release with an autoscaler", func() {
			h.requireReplicas("2", func() result {
				return h.deliver(bad.Replace(silent("bad")), "handed over by a bad one", 3, "rolled_back")
			})
		}},
		{"K23 handed over", func() {
			h.requireReplicas("2", func() result { return h.deliver(silent("one"), "handed over", 0, "deployed") })
		}},
		{"bad release that takes it back", func() {
			h.scaleTo("3")
			h.requireReplicas("3", func() result {
				return h.deliver(bad.Replace(release("worse")), "taken back by a bad one", 3, "rolled_back")
			})
			h.kubectlIn("get", "hpa", "tiny")
		}},
		{"taken back", func() {
			h.write("k8s/tiny.yaml", release("two"))
			h.commit("taken back")
			h.slipway("plan", "--env", "prod").wantExit(0).wantText("replicas of Deployment tiny stay 3: HorizontalPodAutoscaler tiny scales it")
			h.requireReplicas("3 2", func() result { return h.withinVerdict(func() result { return h.run() }).wantRun(0, "deployed") })
		}},
		{"autoscaler made by hand", func() {
			h.apply(strings.TrimPrefix(strings.Replace(bounds, "minReplicas: 2", "minReplicas: 3", 1), "---\n"))
			h.scaleTo("3")
			h.requireReplicas("3", func() result { return h.deliver(release("three"), "beside an autoscaler made by hand", 0, "deployed") })
		}},
	} {
		if !h.scenario(s.name, s.do) {
			t.FailNow()
		}
	}
}
