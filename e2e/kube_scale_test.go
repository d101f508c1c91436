//go:build e2e

package e2e

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// autoscaler is an autoscaler for the tiny service that scales up quickly and down
// slowly.
const autoscaler = `---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: tiny}
spec:
  minReplicas: 2
  maxReplicas: 4
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: tiny}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleUp: {stabilizationWindowSeconds: 0}, scaleDown: {stabilizationWindowSeconds: 600}}
`

// The autoscaler controls the number of replicas, even during a deploy.
func TestKubeAutoscaler(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests+autoscaler)
	h.requireServing("tiny", h.run().wantRun(0, "deployed").report.Release)
	if n := h.kubectlIn("get", "deployment", "tiny", "-o", "jsonpath={.spec.replicas}"); n != "2" && n != "1" {
		t.Errorf("%s replicas before any load", n)
	}
	stop := generateLoad(h.serviceURL("tiny"))
	defer stop()
	if !h.eventually(2*time.Minute, func() bool { return len(h.pods()) >= 3 }) {
		t.Fatalf("no scale-up:\n%s", h.kubectlIn("describe", "hpa", "tiny"))
	}
	h.write("k8s/tiny.yaml", strings.Replace(tinyManifests, "GREETING: hello", "GREETING: welcome", 1)+autoscaler)
	h.commit("in the middle of the rush")
	r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result { return h.run().wantRun(0, "deployed") })
	h.requireServing("tiny", r.report.Release)
	if n := len(h.pods()); n < 3 {
		t.Errorf("%d pods after the deploy, want at least 3", n)
	}
	verified := runJSON[struct{ Notes []string }](h.project, "verify", "--env", "prod").Notes
	for by, notes := range map[string][]string{"status": h.status("prod").Notes, "verify": verified} {
		if all := strings.Join(notes, "\n"); !strings.Contains(all, "autoscaler tiny") || !strings.Contains(all, "between 2 and 4") {
			t.Errorf("slipway %s does not mention the autoscaler: %q", by, all)
		}
	}
}

// generateLoad sends requests as fast as two clients can, until it is stopped.
func generateLoad(url string) (stop func()) {
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := client.Post(url+"/predict", "application/json", bytes.NewReader([]byte(`{"n": 1}`)))
				if err == nil {
					resp.Body.Close()
				}
			}
		})
	}
	return func() { close(done); group.Wait() }
}

// The role cannot read nodes, so an unschedulable pod is waited for: a node may be on
// its way.
func TestKubeUnschedulable(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	good := h.run().wantRun(0, "deployed").report.Release
	h.requireServing("tiny", good)
	h.edit("k8s/tiny.yaml", "cpu: 10m, memory: 16Mi", "cpu: 10m, memory: 100Gi")
	h.commit("too big")
	r := h.underLoad(h.serviceURL("tiny"), `{"n": 2}`, 0, func() result { return h.run().wantRun(3, "rolled_back") })
	for _, word := range []string{"can't be scheduled", "100Gi memory"} {
		if !strings.Contains(r.report.Cause, word) {
			t.Errorf("%q not found in the cause: %s", word, r.report.Cause)
		}
	}
	h.requireNotQuarantined("tiny", good, r) // a larger node would hold it
}
