package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessJobs assesses the release's Jobs, whether held or not: nothing replaces one
// that failed.
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

// lastJobFailure returns how a pod of the Job failed.
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

// assessObjects checks every object of the release with kstatus. Its failures rank
// last: a Deployment past its deadline is a symptom.
func (a *assessor) assessObjects() {
	for _, u := range slices.Concat(a.snapshot.Workloads, a.snapshot.Objects) {
		// kstatus uses the wall clock for pods, and they have been assessed already.
		if u.GetKind() == "Pod" {
			continue
		}
		res, err := computeStatus(u)
		if err != nil {
			continue // the status does not follow Kubernetes conventions
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

// computeStatus calls kstatus, which panics on malformed lists and maps: custom
// resources can contain anything.
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
		return // assessed already, with its pods
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

// assessTerminations looks for old pods that do not terminate. The deletion timestamp
// includes the grace period: a pod past it is overdue.
func (a *assessor) assessTerminations() {
	const usual = 30 * time.Second // for the kubelet to clean up
	for i := range a.snapshot.OldPods {
		p := &a.snapshot.OldPods[i]
		if p.DeletionTimestamp == nil {
			continue
		}
		overdue := a.snapshot.Now.Sub(p.DeletionTimestamp.Time)
		if overdue <= usual {
			a.recheckAfter(usual - overdue + time.Second)
			continue
		}
		t := problem{rank: rankTermination, kind: fault.Exhausted, infrastructure: true}
		t.cause = fmt.Sprintf("old %s is still terminating: %s past its grace period", podName(p), formatDuration(overdue))
		if p.Spec.NodeName != "" {
			t.cause += ", on node " + clean(p.Spec.NodeName)
		}
		t.hint = "check that its node is up; if it is gone, delete the node, or the pod with --force"
		switch {
		case len(p.Finalizers) > 0:
			t.cause += ", held by finalizer " + clean(strings.Join(p.Finalizers, ", "))
			t.hint = "the controller that set the finalizer must remove it: check that the controller is running"
		case a.nodeNotReady(p.Spec.NodeName):
			t.cause += ", which is not responding"
		}
		a.addProblem(t, a.timeouts.Termination, min(overdue, a.phaseElapsed()))
	}
}

// objectName returns the name for messages: "deployment api".
func objectName(kind, name string) string {
	return strings.ToLower(clean(kind)) + " " + clean(name)
}

// unstructuredCondition returns the condition of the given type, or nil.
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
