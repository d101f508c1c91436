package readiness

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessVolumes assesses a scheduled pod whose volumes or network are missing. The
// cluster reports that only in events, which outlive the problem: once the pod has
// its sandbox, or a container got further, they are irrelevant.
func (a *assessor) assessVolumes(p *corev1.Pod) {
	if c := condition(p, corev1.PodReadyToStartContainers); c != nil && c.Status == corev1.ConditionTrue {
		return
	}
	if slices.ContainsFunc(containerStates(p), startedContainer) {
		return
	}
	e := a.latest(p, func(e *corev1.Event) bool {
		return slices.Contains([]string{"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"}, e.Reason)
	})
	if e == nil {
		return
	}
	t := problem{rank: rankConfig, kind: fault.Unavailable}
	patience, what := a.timeouts.Attach, "cannot mount its volumes"
	switch {
	case e.Reason == "FailedCreatePodSandBox":
		what, t.hint = "cannot set up its network", "check the network plugin of its node"
	case containsAny(e.Message, "multi-attach"):
		t.hint = "the volume can only be on one node at a time: use ReadWriteMany, or let old pods end before new ones start (Recreate)"
	case containsAny(e.Message, "not found", "references non-existent"):
		t.kind, t.infrastructure, patience = fault.NotFound, true, a.timeouts.Mount
		t.hint = "make it part of the release, create it in the namespace, or correct its name"
	}
	t.cause = joinNonEmpty(": ", podName(p)+" "+what, clean(e.Message))
	a.addProblem(t, patience, a.elapsed(earlierOf(firstSeen(e), scheduledAt(p))))
}

func startedContainer(b containerState) bool {
	w := b.status.State.Waiting
	return w == nil || b.status.ContainerID != "" || b.status.LastTerminationState.Terminated != nil ||
		w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing"
}

// earlierOf returns when a problem began: the pod's time, unless the event's is
// earlier, as its clock may be more accurate.
func earlierOf(event, pod time.Time) time.Time {
	if pod.IsZero() || !event.IsZero() && event.Before(pod) {
		return event
	}
	return pod
}
