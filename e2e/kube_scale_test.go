//go:build e2e

package e2e

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// scaler is an autoscaler for the tiny service, quick to scale up and slow to
// scale down.
const scaler = `---
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

// TestKubeAutoscaler: how many pods there are is the autoscaler's to say, also
// while a release comes in.
func TestKubeAutoscaler(t *testing.T) {
	t.Parallel()
	h := tinyInCluster(t, tinyManifests+scaler)
	h.agrees("tiny", h.run().wants(0, "deployed").report.Release)
	if n := h.in("get", "deployment", "tiny", "-o", "jsonpath={.spec.replicas}"); n != "2" && n != "1" {
		t.Errorf("%s replicas before any load", n)
	}
	stop := busy(h.reach("tiny"))
	defer stop()
	if !h.settle(2*time.Minute, func() bool { return len(h.pods()) >= 3 }) {
		t.Fatalf("the autoscaler did not scale up:\n%s", h.in("describe", "hpa", "tiny"))
	}
	h.write("k8s/tiny.yaml", strings.Replace(tinyManifests, "GREETING: hello", "GREETING: welcome", 1)+scaler)
	h.commit("in the middle of the rush")
	r := h.visited(h.reach("tiny"), `{"n": 2}`, 0, func() result { return h.run().wants(0, "deployed") })
	h.agrees("tiny", r.report.Release)
	if n := len(h.pods()); n < 3 {
		t.Errorf("the release came in with %d pods, and there were 3 or more", n)
	}
	verified := ask[struct{ Notes []string }](h.project, "verify", "--env", "prod").Notes
	for by, notes := range map[string][]string{"status": h.status("prod").Notes, "verify": verified} {
		if all := strings.Join(notes, "\n"); !strings.Contains(all, "autoscaler tiny") || !strings.Contains(all, "between 2 and 4") {
			t.Errorf("slipway %s does not tell of the autoscaler: %q", by, all)
		}
	}
}

// busy asks as fast as two users can, until it is stopped.
func busy(url string) (stop func()) {
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

// TestKubeTooBig: nobody knows the nodes, so a pod that finds no room is waited
// for, as a node may be on its way.
func TestKubeTooBig(t *testing.T) {
	t.Parallel()
	h := tinyInCluster(t, tinyManifests)
	good := h.run().wants(0, "deployed").report.Release
	h.agrees("tiny", good)
	h.edit("k8s/tiny.yaml", "cpu: 10m, memory: 16Mi", "cpu: 10m, memory: 100Gi")
	h.commit("too big")
	r := h.visited(h.reach("tiny"), `{"n": 2}`, 0, func() result { return h.run().wants(3, "rolled_back") })
	for _, word := range []string{"can't be scheduled", "100Gi memory"} {
		if !strings.Contains(r.report.Cause, word) {
			t.Errorf("the cause does not say %q: %s", word, r.report.Cause)
		}
	}
	h.keptInCluster("tiny", good, r)
}
