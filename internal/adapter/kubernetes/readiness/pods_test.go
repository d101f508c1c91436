package readiness_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
)

// TestAssess_WithoutProbe: that a container without a probe has started does not show
// that it works.
func TestAssess_WithoutProbe(t *testing.T) {
	startupProbe := func(p *corev1.Pod) { p.Spec.Containers[0].StartupProbe = &corev1.Probe{} }
	initContainer := func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "proxy"}}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: atSecond(10)}}}}
	}
	for _, c := range []struct {
		name    string
		now     int
		pod     corev1.Pod
		state   readiness.State
		requeue time.Duration
	}{
		{"started just now", 10, pod("api-77-a", readySince(10, 10)), readiness.Progressing, 2 * time.Second},
		{"a second ago", 11, pod("api-77-a", readySince(10, 10)), readiness.Progressing, time.Second},
		{"two seconds ago", 12, pod("api-77-a", readySince(10, 10)), readiness.Ready, 0},
		{"started by a clock that is ahead", 10, pod("api-77-a", readySince(60, 60)), readiness.Progressing, 2 * time.Second},
		{"readiness probe", 10, pod("api-77-a", readySince(10, 10), withReadinessProbe(&corev1.Probe{})), readiness.Ready, 0},
		{"startup probe", 10, pod("api-77-a", readySince(10, 10), startupProbe), readiness.Ready, 0},
		{"a sidecar that runs for as long", 10, pod("api-77-a", readySince(0, 0), initContainer), readiness.Ready, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(c.now, c.pod)
			s.Held, s.MinReady = true, map[string]int{"api": 1}
			v := readiness.Assess(s)
			if v.State != c.state || v.RequeueAfter != c.requeue {
				t.Errorf("Assess = %s (%s), again after %s, want %s after %s", v.State, v.Progress, v.RequeueAfter, c.state, c.requeue)
			}
		})
	}
}
