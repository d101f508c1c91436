//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// job is a Job of the service's image, which behaves like that.
func job(name, annotations, behaviour string) string {
	return fmt.Sprintf(`---
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s, annotations: {%[2]s}}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: %[1]s, image: tiny, env: [{name: TINY_BEHAVIOUR, value: %[3]s}]}]}}
`, name, annotations, behaviour)
}

// jobs returns "NAME UID" of the Jobs.
func (h *clusterProject) jobs() []string {
	h.t.Helper()
	return strings.Split(h.kubectlIn("get", "jobs", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`), "\n")
}

// A Job runs once for its content, before the release's pods, and stops a release by
// failing.
func TestTargets_K15c_Jobs(t *testing.T) {
	t.Parallel()
	h := newTargetsProject(t, tinyManifests)
	var first, second string
	var before []string
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"a Job that succeeds", func() {
			first = h.deliver(release("one")+job("migrate", "", "migrates"), "with a migration", 0, "deployed").report.Release
			h.requireServing("tiny", first)
			if before = h.jobs(); len(before) != 1 || !strings.HasPrefix(before[0], "migrate-") {
				h.t.Errorf("Jobs = %v, want migrate-HASH", before)
			}
		}},
		{"K15d the same Job in the next release", func() {
			second = h.deliver(release("two")+job("migrate", "", "migrates"), "only a value differs", 0, "deployed").report.Release
			h.requireServing("tiny", second)
			if now := h.jobs(); strings.Join(now, " ") != strings.Join(before, " ") {
				h.t.Errorf("Jobs = %v, want the one of before, %v", now, before)
			}
		}},
		{"K15c a Job that fails", func() {
			r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result {
				return h.deliver(release("three")+job("migrate", "", "migration fails"), "a bad migration", 3, "rolled_back")
			})
			for _, word := range []string{"job migrate-", "failed", "the column is there already"} {
				if !strings.Contains(r.report.Cause, word) {
					h.t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
				}
			}
			h.requireServing("tiny", second)
			if now := h.jobs(); strings.Join(now, " ") != strings.Join(before, " ") {
				h.t.Errorf("Jobs = %v, want the one of before, %v", now, before)
			}
		}},
		{"K15c a Job that cannot start", func() {
			broken := strings.Replace(job("migrate", "", "migrates"), "env: [", "envFrom: [{configMapRef: {name: nowhere}}], env: [", 1)
			r := h.deliver(release("four")+broken, "a Job without its ConfigMap", 3, "rolled_back")
			if !strings.Contains(r.report.Cause, `configmap "nowhere" not found`) {
				h.t.Errorf("the cause is %s", r.report.Cause)
			}
			h.requireServing("tiny", second)
		}},
		{"K23b a rollback runs no Job", func() {
			h.kubectlIn("delete", "jobs", "--all")
			h.withinVerdict(func() result { return h.slipway("rollback", "--env", "prod", "--why", "to see the Jobs") }).wantExit(0)
			h.requireServing("tiny", first)
			if now := h.jobs(); now[0] != "" {
				h.t.Errorf("the rollback ran %v", now)
			}
		}},
		{"a rollback runs what is annotated for it", func() {
			back := job("back", "slipway.dev/on-rollback: run", "migrates")
			h.deliver(release("five")+back, "with a way back", 0, "deployed")
			h.deliver(release("six"), "without it", 0, "deployed")
			h.kubectlIn("delete", "jobs", "--all")
			h.withinVerdict(func() result { return h.slipway("rollback", "--env", "prod", "--why", "to see the Job") }).wantExit(0)
			if now := h.jobs(); len(now) != 1 || !strings.HasPrefix(now[0], "back-") {
				h.t.Errorf("Jobs = %v, want back-HASH", now)
			}
		}},
		{"K26 hooks of a chart", func() {
			h.edit("slipway.yaml", "manifests: [k8s/]", "manifests: [chart/]")
			h.write("chart/Chart.yaml", "apiVersion: v2\nname: tiny\nversion: 0.1.0\n")
			hook := job("upgrade", `helm.sh/hook: "pre-install,pre-upgrade"`, "migrates")
			h.write("chart/templates/tiny.yaml", release("seven")+hook)
			h.commit("a chart with a hook")
			r := h.withinVerdict(func() result { return h.run() }).wantRun(0, "deployed")
			h.requireServing("tiny", r.report.Release)
			if now := strings.Join(h.jobs(), " "); !strings.Contains(now, "upgrade-") {
				h.t.Errorf("Jobs = %s, want upgrade-HASH among them", now)
			}
			h.write("chart/templates/tiny.yaml", release("seven")+strings.Replace(hook, "pre-install,pre-upgrade", "post-upgrade", 1))
			h.commit("a chart with a hook that comes too late")
			h.run().wantExit(1).wantText("post-upgrade", "too late to stop a release")
		}},
	} {
		if !h.scenario(s.name, s.do) {
			t.FailNow()
		}
	}
}
