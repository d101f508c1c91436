package readiness

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
)

// noTimeout is the timeout of problems that the cluster resolves by itself; only the
// caller's deadline ends the wait.
const noTimeout = time.Duration(1<<63 - 1)

// causeRank orders problems: the lowest is closest to the root cause.
type causeRank int

const (
	rankAdmission causeRank = iota
	rankScheduling
	rankConfig
	rankImagePull
	rankCrash
	rankProbe
	rankJob
	rankObject
	rankTermination
)

// problem is something that keeps the release from becoming ready.
type problem struct {
	rank        causeRank
	kind        fault.Kind
	cause, hint string
	remaining   time.Duration // how long it may still last; <= 0: permanent
	log         *LogKey       // the log that explains the cause
}

type assessor struct {
	snapshot     Snapshot
	timeouts     Timeouts
	pods         []*corev1.Pod                    // of the release and not being deleted, sorted by name
	owners       map[types.UID]*appsv1.ReplicaSet // ReplicaSets by UID
	readyPods    map[string]int                   // ready pods of the release by workload
	readyTimes   map[string]time.Duration         // see measureReadyTimes
	eventsByUID  map[types.UID][]*corev1.Event
	eventsByName map[string][]*corev1.Event // events without a UID, by kind and name
	problems     []problem
	notCurrent   []string      // descriptions of what is not Current yet
	recheckIn    time.Duration // until something may become a problem; 0: nothing
}

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
	a.readyPods = map[string]int{}
	for _, p := range a.pods {
		if podReady(p) {
			a.readyPods[a.workload(p)]++
		}
	}
	a.measureReadyTimes()
}

func (a *assessor) isOfRelease(p *corev1.Pod) bool {
	return p.Labels[labels.Release] == string(a.snapshot.Release)
}

// assessPod looks for problems of one pod of the release.
func (a *assessor) assessPod(p *corev1.Pod) {
	if p.Status.Phase == corev1.PodSucceeded || podReady(p) {
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

func (a *assessor) status() Status {
	v := Status{State: Progressing, Progress: a.progress()}
	if a.enoughReady() && len(a.notCurrent) == 0 && !a.jobFailed() {
		v.State = Ready
		return v
	}
	v.RequeueAfter = a.recheckIn
	for _, t := range a.problems {
		if t.remaining > 0 && t.remaining < noTimeout && (v.RequeueAfter == 0 || t.remaining < v.RequeueAfter) {
			v.RequeueAfter = t.remaining
		}
	}
	if len(a.problems) == 0 || a.problems[0].remaining > 0 {
		return v
	}
	t := a.problems[0]
	v.State, v.RequeueAfter = Failed, 0
	v.Kind, v.Cause, v.Hint = t.kind, t.cause, t.hint
	if t.log != nil {
		lines, fetched := a.snapshot.Logs[*t.log]
		v.LogTail = lastLines(lines, 10)
		if !fetched {
			v.LogsNeeded = []LogKey{*t.log}
		}
	}
	return v
}

// jobFailed reports whether a Job failed, which no number of ready pods outweighs.
func (a *assessor) jobFailed() bool {
	return slices.ContainsFunc(a.problems, func(t problem) bool { return t.rank == rankJob && t.remaining <= 0 })
}

// enoughReady reports whether every workload has as many ready pods as it needs.
func (a *assessor) enoughReady() bool {
	for name, want := range a.snapshot.MinReady {
		if a.readyPods[name] < want {
			return false
		}
	}
	return true
}

// progress returns one line: the number of ready pods and what the rest is waiting
// for.
func (a *assessor) progress() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(a.snapshot.MinReady)) {
		line := fmt.Sprintf("%d of %d pods ready", min(a.readyPods[name], a.snapshot.MinReady[name]), a.snapshot.MinReady[name])
		if len(a.snapshot.MinReady) > 1 {
			line = clean(name) + ": " + line
		}
		parts = append(parts, line)
	}
	said := []string{strings.Join(parts, ", ")}
	switch {
	case len(a.problems) > 0:
		said = append(said, a.problems[0].cause)
	case !a.enoughReady():
		said = append(said, a.firstUnreadyPod())
	case len(a.notCurrent) > 0:
		said = append(said, a.notCurrent[0])
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "; ")
}

// addProblem records a problem that may last for timeout and has lasted for age.
func (a *assessor) addProblem(t problem, timeout, age time.Duration) {
	t.remaining = noTimeout
	if timeout < noTimeout {
		t.remaining = timeout - age
	}
	a.problems = append(a.problems, t)
}

// elapsed returns how long something has lasted that began at start, by a clock of
// the cluster. It never exceeds the phase: neither a node whose clock is slow nor
// leftovers of an earlier attempt may make a new release look old.
func (a *assessor) elapsed(start time.Time) time.Duration {
	if !start.IsZero() {
		return min(a.phaseElapsed(), max(0, a.snapshot.Now.Sub(start)))
	}
	if p := a.phaseElapsed(); p < noTimeout {
		return p
	}
	return 0
}

// phaseElapsed returns how long this phase has lasted, or noTimeout if its start is
// unknown.
func (a *assessor) phaseElapsed() time.Duration {
	if a.snapshot.PhaseStart.IsZero() {
		return noTimeout
	}
	return max(0, a.snapshot.Now.Sub(a.snapshot.PhaseStart))
}
