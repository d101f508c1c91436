package readiness

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Assess assesses the release. It never panics, whatever the cluster's objects look
// like.
func Assess(s Snapshot) Status {
	a := &assessor{snapshot: s, timeouts: s.Timeouts.withDefaults()}
	a.index()
	for _, p := range a.pods {
		a.assessPod(p)
	}
	a.assessAdmission()
	a.assessJobs()
	if !s.Held {
		a.assessObjects()
		a.assessTerminations()
	}
	slices.SortStableFunc(a.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(min(1, max(0, a.remaining)), min(1, max(0, b.remaining))), cmp.Compare(a.rank, b.rank))
	})
	return a.status()
}

func (a *assessor) index() {
	known := func(all []*unstructured.Unstructured) []*unstructured.Unstructured {
		return slices.DeleteFunc(slices.Clone(all), func(u *unstructured.Unstructured) bool { return u == nil || u.Object == nil })
	}
	a.snapshot.Workloads, a.snapshot.Objects = known(a.snapshot.Workloads), known(a.snapshot.Objects)
	a.owners = map[types.UID]*appsv1.ReplicaSet{}
	for i := range a.snapshot.ReplicaSets {
		a.owners[a.snapshot.ReplicaSets[i].UID] = &a.snapshot.ReplicaSets[i]
	}
	a.eventsByUID, a.eventsByName = map[types.UID][]*corev1.Event{}, map[string][]*corev1.Event{}
	for i := range a.snapshot.Events {
		e := &a.snapshot.Events[i]
		if o := e.InvolvedObject; o.UID != "" {
			a.eventsByUID[o.UID] = append(a.eventsByUID[o.UID], e)
		} else {
			a.eventsByName[o.Kind+"/"+o.Name] = append(a.eventsByName[o.Kind+"/"+o.Name], e)
		}
	}
	for i := range a.snapshot.Pods {
		if p := &a.snapshot.Pods[i]; a.isOfRelease(p) && p.DeletionTimestamp == nil {
			a.pods = append(a.pods, p)
		}
	}
	slices.SortStableFunc(a.pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	a.countReady()
	a.measureReadyTimes()
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

// assessPod looks for problems of one pod of the release.
func (a *assessor) assessPod(p *corev1.Pod) {
	if p.Status.Phase == corev1.PodSucceeded || PodReady(p) {
		return
	}
	if p.Status.Phase == corev1.PodFailed {
		a.assessFailedPod(p)
		return
	}
	if a.assessUnscheduled(p) || a.assessLostNode(p) {
		return
	}
	a.assessVolumes(p)
	for _, b := range containerStates(p) {
		a.assessContainer(b)
	}
}
