//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// companion is a workload of that kind beside the service, which behaves like that.
func companion(kind, name, more, behaviour string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: %[1]s
metadata: {name: %[2]s}
spec:
  selector: {matchLabels: {app: %[2]s}}%[3]s
  template:
    metadata: {labels: {app: %[2]s}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: %[2]s, image: tiny, env: [{name: TINY_BEHAVIOUR, value: %[4]s}]}]
`, kind, name, more, behaviour)
}

// Workloads of other kinds beside the service decide about a release, too, and are
// restored with the one before it.
func TestTargets_K15_Companions(t *testing.T) {
	t.Parallel()
	h := newTargetsProject(t, tinyManifests)
	behaviour := func() string {
		return h.kubectlIn("get", "daemonset", "agent", "-o", `jsonpath={.spec.template.spec.containers[0].env[?(@.name=="TINY_BEHAVIOUR")].value}`)
	}
	cache := companion("StatefulSet", "cache", "\n  serviceName: cache\n  podManagementPolicy: Parallel", "good")
	var first string
	for _, s := range []struct {
		name string
		do   func()
	}{
		{"a DaemonSet", func() {
			first = h.deliver(release("one")+companion("DaemonSet", "agent", "", "good"), "with an agent", 0, "deployed").report.Release
			h.requireServing("tiny", first)
		}},
		{"a DaemonSet that crashes", func() {
			r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result {
				return h.deliver(release("two")+companion("DaemonSet", "agent", "", "crashes")+cache, "with a bad agent", 3, "rolled_back")
			})
			for _, word := range []string{"pod agent-", "out of cheese"} {
				if !strings.Contains(r.report.Cause, word) {
					h.t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
				}
			}
			if !h.eventually(time.Minute, func() bool { st := h.status("prod"); return st.Release == first && st.Health == "healthy" }) {
				h.t.Errorf("status = %+v, want %s, healthy", h.status("prod"), first)
			}
			if got := behaviour(); got != "good" {
				h.t.Errorf("the agent's behaviour is %q after the rollback, want good", got)
			}
			if got := h.kubectlIn("get", "statefulsets", "-o", "name"); got != "" {
				h.t.Errorf("%s is left of the bad release", got)
			}
		}},
		{"a StatefulSet instead", func() {
			r := h.deliver(release("three")+cache, "with a cache", 0, "deployed")
			if got := h.kubectlIn("get", "statefulsets,daemonsets", "-o", "name"); got != "statefulset.apps/cache" {
				h.t.Errorf("workloads beside the service are %q, want the StatefulSet", got)
			}
			if st := h.status("prod"); st.Release != r.report.Release || st.Health != "healthy" {
				h.t.Errorf("status = %+v, want %s, healthy", st, r.report.Release)
			}
		}},
	} {
		if !h.scenario(s.name, s.do) {
			t.FailNow()
		}
	}
}
