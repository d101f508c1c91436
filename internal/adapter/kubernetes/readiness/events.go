package readiness

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// eventsOf returns the events of an object: by UID, or by kind and name for events
// without a UID. A namesake's events (pods of a StatefulSet keep their names) have
// another UID.
func (a *assessor) eventsOf(kind, name string, uid types.UID) []*corev1.Event {
	found := a.eventsByName[kind+"/"+name]
	if uid != "" {
		found = append(found[:len(found):len(found)], a.eventsByUID[uid]...)
	}
	return found
}

func (a *assessor) podEvents(p *corev1.Pod) []*corev1.Event { return a.eventsOf("Pod", p.Name, p.UID) }

// latest returns the newest event of the pod that matches.
func (a *assessor) latest(p *corev1.Pod, fits func(*corev1.Event) bool) *corev1.Event {
	var best *corev1.Event
	for _, e := range a.podEvents(p) {
		if fits(e) && (best == nil || lastSeen(e).After(lastSeen(best))) {
			best = e
		}
	}
	return best
}

// firstFailure returns when the kubelet first reported the failure of the container:
// until then it may have spent minutes pulling an image. Without a report, it is when
// the pod was scheduled.
func (a *assessor) firstFailure(b containerState, prefix string) time.Time {
	var earliest time.Time
	for _, e := range a.podEvents(b.pod) {
		if e.Reason != "Failed" || !b.matchesEvent(e) || !strings.HasPrefix(e.Message, prefix) || strings.Contains(e.Message, "ImagePull") {
			continue
		}
		if t := firstSeen(e); earliest.IsZero() || t.Before(earliest) {
			earliest = t
		}
	}
	if earliest.IsZero() {
		return scheduledAt(b.pod)
	}
	return earliest
}

// matchesEvent reports whether the event concerns the container, or no container in
// particular.
func (b containerState) matchesEvent(e *corev1.Event) bool {
	path := e.InvolvedObject.FieldPath
	if !strings.Contains(path, "{") {
		return true
	}
	return strings.HasSuffix(path, "{"+b.spec.Name+"}") && strings.HasPrefix(path, "spec.initContainers") == b.init
}

func firstSeen(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time, e.LastTimestamp.Time, e.CreationTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func lastSeen(e *corev1.Event) time.Time {
	last := firstSeen(e)
	others := []time.Time{e.LastTimestamp.Time, e.EventTime.Time}
	if e.Series != nil {
		others = append(others, e.Series.LastObservedTime.Time)
	}
	for _, t := range others {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// isRecent reports whether the event occurred in this phase: events are kept for an
// hour, and an earlier attempt at the same release left some. The clocks that wrote
// them may be slightly behind.
func (a *assessor) isRecent(e *corev1.Event) bool {
	const clockSkew = 2 * time.Second
	return a.snapshot.PhaseStart.IsZero() || !lastSeen(e).Before(a.snapshot.PhaseStart.Add(-clockSkew))
}
