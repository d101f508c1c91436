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

// jobs judges the release's Jobs, held or not: nothing replaces one that failed.
func (j *judge) jobs() {
	for _, w := range j.s.Workloads {
		if w.GetKind() != "Job" {
			continue
		}
		c := conditionOf(w, "Failed")
		if c["status"] != "True" {
			continue
		}
		t := trouble{rank: jobs, kind: fault.Failed}
		said := join(": ", text(c["reason"]), text(c["message"]))
		t.cause = join(": ", objectName("Job", w.GetName())+" failed", clean(said))
		if why := j.lastEnd(w.GetName()); why != nil {
			t.cause, t.log = why.cause+" ("+t.cause+")", why.log
		}
		j.add(t, 0, 0)
	}
}

// lastEnd is how a pod of the Job ended.
func (j *judge) lastEnd(job string) *trouble {
	for _, p := range slices.Backward(j.pods) {
		if !ofJob(p) || j.workload(p) != job {
			continue
		}
		for _, b := range boxes(p) {
			if c, ok := b.crashed(); ok {
				key := LogKey{Namespace: p.Namespace, Pod: p.Name, Container: b.spec.Name, Previous: c.previous}
				cause, _ := j.explain(b, c, key)
				return &trouble{cause: cause, log: &key}
			}
		}
	}
	return nil
}

// currents holds every object of the release against kstatus. Its own failure
// is named last: a Deployment past its deadline is a symptom.
func (j *judge) currents() {
	for _, u := range slices.Concat(j.s.Workloads, j.s.Objects) {
		// kstatus asks the clock about pods, and they have been judged.
		if u.GetKind() == "Pod" {
			continue
		}
		res, err := compute(u)
		if err != nil {
			continue // the object has a status that is no Kubernetes status: nothing can be read from it
		}
		name := objectName(u.GetKind(), u.GetName())
		switch res.Status {
		case status.FailedStatus:
			j.objectFailed(u, name, res)
		case status.InProgressStatus:
			j.pending = append(j.pending, join(": ", name, clean(res.Message)))
		case status.TerminatingStatus:
			j.pending = append(j.pending, name+" is being deleted")
		}
	}
}

// compute is kstatus, which trusts lists and maps to be what they should be;
// custom resources are what their owner made them.
func compute(u *unstructured.Unstructured) (res *status.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the status: %v", p)
		}
	}()
	return status.Compute(u)
}

func (j *judge) objectFailed(u *unstructured.Unstructured, name string, res *status.Result) {
	if u.GetKind() == "Job" {
		return // judged before, with its pods
	}
	j.pending = append(j.pending, join(": ", name, clean(res.Message)))
	t := trouble{rank: objects, kind: fault.Failed, cause: join(": ", name, clean(res.Message))}
	if c := conditionOf(u, "Progressing"); u.GetKind() == "Deployment" && c["reason"] == "ProgressDeadlineExceeded" {
		t.kind = fault.Exhausted
		t.cause = name + " took longer than its progressDeadlineSeconds"
		t.hint = "raise progressDeadlineSeconds if the service needs that long"
		if len(j.troubles) > 0 {
			t.cause, t.hint = t.cause+"; "+j.troubles[0].cause, j.troubles[0].hint
		}
	}
	j.add(t, 0, 0)
}

// terminations judges old pods that don't go. The deletion's timestamp has the
// grace in it already: what is past it is overdue.
func (j *judge) terminations() {
	const usual = 30 * time.Second // the kubelet's own clearing up
	for i := range j.s.OldPods {
		p := &j.s.OldPods[i]
		if p.DeletionTimestamp == nil {
			continue
		}
		overdue := j.s.Now.Sub(p.DeletionTimestamp.Time)
		if overdue <= usual {
			j.soon = usual - overdue + time.Second
			continue
		}
		t := trouble{rank: ending, kind: fault.Exhausted}
		t.cause = fmt.Sprintf("old %s does not end: %s past its grace", podName(p), duration(overdue))
		if p.Spec.NodeName != "" {
			t.cause += ", on node " + clean(p.Spec.NodeName)
		}
		t.hint = "does its node answer? if it is gone, delete the node, or the pod with --force"
		switch {
		case len(p.Finalizers) > 0:
			t.cause += ", held by finalizer " + clean(strings.Join(p.Finalizers, ", "))
			t.hint = "whoever set the finalizer has to take it away: is that controller running?"
		case j.nodeGone(p.Spec.NodeName):
			t.cause += ", which does not answer"
		}
		j.add(t, j.p.Termination, min(overdue, j.phase()))
	}
}

func (j *judge) nodeGone(name string) bool {
	for i := range j.s.Nodes {
		n := &j.s.Nodes[i]
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

// conditionOf is the condition of that type, or nil.
func conditionOf(u *unstructured.Unstructured, kind string) map[string]any {
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

func text(v any) string {
	s, _ := v.(string)
	return s
}
