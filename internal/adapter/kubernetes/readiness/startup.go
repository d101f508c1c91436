package readiness

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Startups are the times at which containers were first seen to have passed their
// startup probe: the API reports that they have, and not when.
type Startups map[instance]time.Time

// instance is one start of a container of a pod.
type instance struct {
	pod       types.UID
	container string
	restarts  int32
}

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

// startupPassed returns when the container passed its startup probe, or zero if it has
// none. Without an observation it is the last failure of the probe.
func (a *assessor) startupPassed(b containerState) time.Time {
	if b.spec.StartupProbe == nil {
		return time.Time{}
	}
	if at, ok := a.snapshot.Startups[b.instance()]; ok {
		return at
	}
	if e := a.lastUnhealthyEvent(b, "startup"); e != nil {
		return lastSeen(e)
	}
	return time.Time{}
}

// StartupBudget returns how long the startup probes of a pod allow it to take, or zero
// without one.
func StartupBudget(spec corev1.PodSpec) time.Duration {
	var budget time.Duration
	for _, c := range spec.Containers {
		if p := c.StartupProbe; p != nil {
			period, failures := cmp.Or(p.PeriodSeconds, 10), cmp.Or(p.FailureThreshold, 3)
			budget = max(budget, probeSeconds(p.InitialDelaySeconds, 1)+probeSeconds(period, failures))
		}
	}
	return budget
}
