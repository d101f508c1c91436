package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessJobs judges the release's Jobs, held or not: nothing replaces one that failed.
func (a *assessor) assessJobs() {
	for _, w := range a.snapshot.Workloads {
		if w.GetKind() != "Job" {
			continue
		}
		c := unstructuredCondition(w, "Failed")
		if c["status"] != "True" {
			continue
		}
		t := problem{rank: rankJob, kind: fault.Failed}
		message := joinNonEmpty(": ", stringValue(c["reason"]), stringValue(c["message"]))
		t.cause = joinNonEmpty(": ", objectName("Job", w.GetName())+" failed", clean(message))
		if failure := a.lastJobFailure(w.GetName()); failure != nil {
			t.cause, t.log = failure.cause+" ("+t.cause+")", failure.log
		}
		a.addProblem(t, 0, 0)
	}
}

// lastJobFailure is how a pod of the Job ended.
func (a *assessor) lastJobFailure(name string) *problem {
	for _, p := range slices.Backward(a.pods) {
		if !ownedByJob(p) || a.workload(p) != name {
			continue
		}
		for _, b := range containerStates(p) {
			if c, ok := b.crash(); ok {
				key := LogKey{Namespace: p.Namespace, Pod: p.Name, Container: b.spec.Name, Previous: c.previous}
				cause, _ := a.explainExit(b, c, key)
				return &problem{cause: cause, log: &key}
			}
		}
	}
	return nil
}

// assessObjects holds every object of the release against kstatus. Its own failure
// is named last: a Deployment past its deadline is a symptom.
func (a *assessor) assessObjects() {
	for _, u := range slices.Concat(a.snapshot.Workloads, a.snapshot.Objects) {
		// kstatus asks the clock about pods, and they have been judged.
		if u.GetKind() == "Pod" {
			continue
		}
		res, err := computeStatus(u)
		if err != nil {
			continue // the object has a status that is no Kubernetes status: nothing can be read from it
		}
		name := objectName(u.GetKind(), u.GetName())
		switch res.Status {
		case status.FailedStatus:
			a.addObjectFailure(u, name, res)
		case status.InProgressStatus:
			a.notCurrent = append(a.notCurrent, joinNonEmpty(": ", name, clean(res.Message)))
		case status.TerminatingStatus:
			a.notCurrent = append(a.notCurrent, name+" is being deleted")
		}
	}
}

// computeStatus is kstatus, which trusts lists and maps to be what they should be;
// custom resources are what their owner made them.
func computeStatus(u *unstructured.Unstructured) (res *status.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the status: %v", p)
		}
	}()
	return status.Compute(u)
}

func (a *assessor) addObjectFailure(u *unstructured.Unstructured, name string, res *status.Result) {
	if u.GetKind() == "Job" {
		return // judged before, with its pods
	}
	a.notCurrent = append(a.notCurrent, joinNonEmpty(": ", name, clean(res.Message)))
	t := problem{rank: rankObject, kind: fault.Failed, cause: joinNonEmpty(": ", name, clean(res.Message))}
	if c := unstructuredCondition(u, "Progressing"); u.GetKind() == "Deployment" && c["reason"] == "ProgressDeadlineExceeded" {
		t.kind = fault.Exhausted
		t.cause = name + " took longer than its progressDeadlineSeconds"
		t.hint = "raise progressDeadlineSeconds if the service needs that long"
		if len(a.problems) > 0 {
			t.cause, t.hint = t.cause+"; "+a.problems[0].cause, a.problems[0].hint
		}
	}
	a.addProblem(t, 0, 0)
}

// assessTerminations judges old pods that don't go. The deletion's timestamp has the
// grace in it already: what is past it is overdue.
func (a *assessor) assessTerminations() {
	const usual = 30 * time.Second // the kubelet's own clearing up
	for i := range a.snapshot.OldPods {
		p := &a.snapshot.OldPods[i]
		if p.DeletionTimestamp == nil {
			continue
		}
		overdue := a.snapshot.Now.Sub(p.DeletionTimestamp.Time)
		if overdue <= usual {
			a.recheckIn = usual - overdue + time.Second
			continue
		}
		t := problem{rank: rankTermination, kind: fault.Exhausted}
		t.cause = fmt.Sprintf("old %s does not end: %s past its grace", podName(p), formatDuration(overdue))
		if p.Spec.NodeName != "" {
			t.cause += ", on node " + clean(p.Spec.NodeName)
		}
		t.hint = "does its node answer? if it is gone, delete the node, or the pod with --force"
		switch {
		case len(p.Finalizers) > 0:
			t.cause += ", held by finalizer " + clean(strings.Join(p.Finalizers, ", "))
			t.hint = "whoever set the finalizer has to take it away: is that controller running?"
		case a.nodeNotReady(p.Spec.NodeName):
			t.cause += ", which does not answer"
		}
		a.addProblem(t, a.timeouts.Termination, min(overdue, a.phaseElapsed()))
	}
}

func (a *assessor) nodeNotReady(name string) bool {
	for i := range a.snapshot.Nodes {
		n := &a.snapshot.Nodes[i]
		for _, c := range n.Status.Conditions {
			if n.Name == name && c.Type == corev1.NodeReady {
				return c.Status != corev1.ConditionTrue
			}
		}
	}
	return false
}

// objectName is how people say it: "deployment api".
func objectName(kind, name string) string {
	return strings.ToLower(clean(kind)) + " " + clean(name)
}

// unstructuredCondition is the condition of that type, or nil.
func unstructuredCondition(u *unstructured.Unstructured, kind string) map[string]any {
	all, _, err := unstructured.NestedFieldNoCopy(u.Object, "status", "conditions")
	list, ok := all.([]any)
	if err != nil || !ok {
		return nil
	}
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m
		}
	}
	return nil
}

func stringValue(v any) string {
	s, _ := v.(string)
	return s
}
