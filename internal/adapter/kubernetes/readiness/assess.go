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

	"github.com/slipway-cd/slipway/internal/fault"
)

// forever is the patience with what the cluster mends by itself; the caller's
// own deadline ends it.
const forever = time.Duration(1<<63 - 1)

// rank orders causes: what comes first is nearer to the root.
type rank int

const (
	admission rank = iota
	scheduling
	configuring
	pulling
	crashing
	probing
	jobs
	objects
	ending
)

// trouble is something that keeps the release from being ready.
type trouble struct {
	rank        rank
	kind        fault.Kind
	cause, hint string
	left        time.Duration // how long it may still last; 0 and less: it can't heal
	log         *LogKey       // where the cause is told in full
}

type judge struct {
	s        Snapshot
	p        Timeouts
	pods     []*corev1.Pod                    // of the release and not being deleted, by name
	owners   map[types.UID]*appsv1.ReplicaSet // the ReplicaSets by their UID
	got      map[string]int                   // ready pods of the release by their workload
	took     map[string]time.Duration         // see measure
	byUID    map[types.UID][]*corev1.Event
	byName   map[string][]*corev1.Event // events that know no UID, by kind and name
	troubles []trouble
	pending  []string      // what is not Current yet, in words
	soon     time.Duration // until something else may become trouble; 0: nothing
}

// Assess says what to think of the release. It never panics, whatever the
// cluster's objects look like.
func Assess(s Snapshot) Status {
	j := &judge{s: s, p: s.Timeouts.filled()}
	j.index()
	for _, p := range j.pods {
		j.pod(p)
	}
	j.admissions()
	j.jobs()
	if !s.Held {
		j.currents()
		j.terminations()
	}
	slices.SortStableFunc(j.troubles, func(a, b trouble) int {
		return cmp.Or(cmp.Compare(min(1, max(0, a.left)), min(1, max(0, b.left))), cmp.Compare(a.rank, b.rank))
	})
	return j.verdict()
}

func (j *judge) index() {
	known := func(all []*unstructured.Unstructured) []*unstructured.Unstructured {
		return slices.DeleteFunc(slices.Clone(all), func(u *unstructured.Unstructured) bool { return u == nil || u.Object == nil })
	}
	j.s.Workloads, j.s.Objects = known(j.s.Workloads), known(j.s.Objects)
	j.owners = map[types.UID]*appsv1.ReplicaSet{}
	for i := range j.s.ReplicaSets {
		j.owners[j.s.ReplicaSets[i].UID] = &j.s.ReplicaSets[i]
	}
	j.byUID, j.byName = map[types.UID][]*corev1.Event{}, map[string][]*corev1.Event{}
	for i := range j.s.Events {
		e := &j.s.Events[i]
		if o := e.InvolvedObject; o.UID != "" {
			j.byUID[o.UID] = append(j.byUID[o.UID], e)
		} else {
			j.byName[o.Kind+"/"+o.Name] = append(j.byName[o.Kind+"/"+o.Name], e)
		}
	}
	for i := range j.s.Pods {
		if p := &j.s.Pods[i]; j.ours(p) && p.DeletionTimestamp == nil {
			j.pods = append(j.pods, p)
		}
	}
	slices.SortStableFunc(j.pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	j.got = map[string]int{}
	for _, p := range j.pods {
		if ready(p) {
			j.got[j.workload(p)]++
		}
	}
	j.measure()
}

func (j *judge) ours(p *corev1.Pod) bool {
	return p.Labels[Label] == string(j.s.Release)
}

// pod looks for trouble of one pod of the release.
func (j *judge) pod(p *corev1.Pod) {
	if p.Status.Phase == corev1.PodSucceeded || ready(p) {
		return
	}
	if p.Status.Phase == corev1.PodFailed {
		j.failed(p)
		return
	}
	if j.unscheduled(p) || j.stranded(p) {
		return
	}
	j.mounts(p)
	for _, b := range boxes(p) {
		j.container(b)
	}
}

func (j *judge) verdict() Status {
	v := Status{State: Progressing, Progress: j.waiting()}
	if j.enough() && len(j.pending) == 0 && !j.jobFailed() {
		v.State = Ready
		return v
	}
	v.RequeueAfter = j.soon
	for _, t := range j.troubles {
		if t.left > 0 && t.left < forever && (v.RequeueAfter == 0 || t.left < v.RequeueAfter) {
			v.RequeueAfter = t.left
		}
	}
	if len(j.troubles) == 0 || j.troubles[0].left > 0 {
		return v
	}
	t := j.troubles[0]
	v.State, v.RequeueAfter = Failed, 0
	v.Kind, v.Cause, v.Hint = t.kind, t.cause, t.hint
	if t.log != nil {
		lines, fetched := j.s.Logs[*t.log]
		v.LogTail = tail(lines, 10)
		if !fetched {
			v.LogsNeeded = []LogKey{*t.log}
		}
	}
	return v
}

// jobFailed: a Job that failed is never outvoted by ready pods.
func (j *judge) jobFailed() bool {
	return slices.ContainsFunc(j.troubles, func(t trouble) bool { return t.rank == jobs && t.left <= 0 })
}

// enough tells whether every workload has the ready pods that it needs.
func (j *judge) enough() bool {
	for name, want := range j.s.MinReady {
		if j.got[name] < want {
			return false
		}
	}
	return true
}

// waiting is one line of progress: the count, and what keeps the rest.
func (j *judge) waiting() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(j.s.MinReady)) {
		line := fmt.Sprintf("%d of %d pods ready", min(j.got[name], j.s.MinReady[name]), j.s.MinReady[name])
		if len(j.s.MinReady) > 1 {
			line = clean(name) + ": " + line
		}
		parts = append(parts, line)
	}
	said := []string{strings.Join(parts, ", ")}
	switch {
	case len(j.troubles) > 0:
		said = append(said, j.troubles[0].cause)
	case !j.enough():
		said = append(said, j.stage())
	case len(j.pending) > 0:
		said = append(said, j.pending[0])
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), "; ")
}

// add notes trouble that may last as long as patience, and has lasted for age.
func (j *judge) add(t trouble, patience, age time.Duration) {
	t.left = forever
	if patience < forever {
		t.left = patience - age
	}
	j.troubles = append(j.troubles, t)
}

// age is how long something has lasted that began at start by a clock of the
// cluster. It is never longer than the phase: a node whose clock is behind must
// not make a new release look old, nor must what an earlier attempt left.
func (j *judge) age(start time.Time) time.Duration {
	if !start.IsZero() {
		return min(j.phase(), max(0, j.s.Now.Sub(start)))
	}
	if p := j.phase(); p < forever {
		return p
	}
	return 0
}

// phase is how long this phase has been going on; forever if nobody said.
func (j *judge) phase() time.Duration {
	if j.s.PhaseStart.IsZero() {
		return forever
	}
	return max(0, j.s.Now.Sub(j.s.PhaseStart))
}
