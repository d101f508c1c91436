package readiness

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// minRunTime is how long a container without a probe must have run until its pod counts
// as ready. The API takes it for ready the moment it starts, and so a program that ends
// at once for one that works.
const minRunTime = 2 * time.Second

// unsettled returns how long containers of a ready pod must still run until it counts; 0:
// it counts.
func (a *assessor) unsettled(p *corev1.Pod) (left time.Duration) {
	for _, b := range containerStates(p) {
		if b.init || b.spec.ReadinessProbe != nil || b.spec.StartupProbe != nil || b.status.State.Running == nil {
			continue
		}
		left = max(left, minRunTime-max(0, a.snapshot.Now.Sub(b.status.State.Running.StartedAt.Time)))
	}
	return left
}

// countReady counts the ready pods by workload.
func (a *assessor) countReady() {
	a.readyPods = map[string]int{}
	for _, p := range a.pods {
		if !PodReady(p) {
			continue
		}
		if left := a.unsettled(p); left > 0 {
			a.recheckAfter(left)
			continue
		}
		a.readyPods[a.workload(p)]++
	}
}

// recheckAfter lets the release be assessed again after d, or earlier.
func (a *assessor) recheckAfter(d time.Duration) {
	if a.recheckIn == 0 || d < a.recheckIn {
		a.recheckIn = d
	}
}
