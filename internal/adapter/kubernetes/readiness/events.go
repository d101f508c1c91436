package readiness

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// about are the events of one object: by its UID, or by kind and name if the
// event knows no UID. A namesake's events (a StatefulSet's pods keep their
// names) have another UID and are not among them.
func (j *judge) about(kind, name string, uid types.UID) []*corev1.Event {
	found := j.byName[kind+"/"+name]
	if uid != "" {
		found = append(found[:len(found):len(found)], j.byUID[uid]...)
	}
	return found
}

func (j *judge) aboutPod(p *corev1.Pod) []*corev1.Event { return j.about("Pod", p.Name, p.UID) }

// latest is the newest of the pod's events that fit.
func (j *judge) latest(p *corev1.Pod, fits func(*corev1.Event) bool) *corev1.Event {
	var best *corev1.Event
	for _, e := range j.aboutPod(p) {
		if fits(e) && (best == nil || lastSeen(e).After(lastSeen(best))) {
			best = e
		}
	}
	return best
}

// first is when the kubelet first said that of the container: before, it may
// have spent minutes on an image. If it never did, when the pod got its node.
func (j *judge) first(b box, prefix string) time.Time {
	var at time.Time
	for _, e := range j.aboutPod(b.pod) {
		if e.Reason != "Failed" || !b.names(e) || !strings.HasPrefix(e.Message, prefix) || strings.Contains(e.Message, "ImagePull") {
			continue
		}
		if t := firstSeen(e); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if at.IsZero() {
		return begun(b.pod)
	}
	return at
}

// names tells whether the event is about that container, or about none.
func (b box) names(e *corev1.Event) bool {
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

// recent tells whether the event happened in this phase: events live for an
// hour, and an earlier attempt at the same release left some. The clocks that
// wrote them may be behind by a little.
func (j *judge) recent(e *corev1.Event) bool {
	const clocks = 2 * time.Second
	return j.s.PhaseStart.IsZero() || !lastSeen(e).Before(j.s.PhaseStart.Add(-clocks))
}
