package readiness

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Note adds the containers that have passed since the last call; now is the cluster's
// time.
func (s Startups) Note(pods []corev1.Pod, now time.Time) {
	for i := range pods {
		for _, b := range containerStates(&pods[i]) {
			if b.spec.StartupProbe == nil || b.status.Started == nil || !*b.status.Started {
				continue
			}
			if _, known := s[b.instance()]; !known {
				s[b.instance()] = now.Truncate(time.Second) // as exact as the cluster's own timestamps
			}
		}
	}
}

func (b containerState) instance() instance {
	return instance{b.pod.UID, b.spec.Name, b.status.RestartCount}
}
