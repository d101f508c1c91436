package readiness

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// mounts judges a pod that has a node and whose volumes or network are not
// there. The cluster only tells of it in events, and those outlive the trouble:
// once the pod has its sandbox, or a container came further, they mean nothing.
func (j *judge) mounts(p *corev1.Pod) {
	if c := condition(p, corev1.PodReadyToStartContainers); c != nil && c.Status == corev1.ConditionTrue {
		return
	}
	if slices.ContainsFunc(boxes(p), beyondMounts) {
		return
	}
	e := j.latest(p, func(e *corev1.Event) bool {
		return slices.Contains([]string{"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox"}, e.Reason)
	})
	if e == nil {
		return
	}
	t := trouble{rank: configuring, kind: fault.Unavailable}
	patience, what := j.p.Attach, "has not got its volumes"
	switch {
	case e.Reason == "FailedCreatePodSandBox":
		what, t.hint = "has not got its network", "look at the network plugin of its node"
	case has(e.Message, "multi-attach"):
		t.hint = "the volume can only be on one node at a time: use ReadWriteMany, or let old pods end before new ones start (Recreate)"
	case has(e.Message, "not found", "references non-existent"):
		t.kind, patience = fault.NotFound, j.p.Mount
		t.hint = "make it part of the release, create it in the namespace, or correct its name"
	}
	t.cause = join(": ", podName(p)+" "+what, clean(e.Message))
	j.add(t, patience, j.age(earliest(firstSeen(e), begun(p))))
}

func beyondMounts(b box) bool {
	w := b.status.State.Waiting
	return w == nil || b.status.ContainerID != "" || b.status.LastTerminationState.Terminated != nil ||
		w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing"
}

// earliest is when trouble began: the pod is what it befell, but the clock of
// an event may know better than that of the pod.
func earliest(event, pod time.Time) time.Time {
	if pod.IsZero() || !event.IsZero() && event.Before(pod) {
		return event
	}
	return pod
}
