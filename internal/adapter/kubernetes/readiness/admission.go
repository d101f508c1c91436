package readiness

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// admissions judges pods that the API server would not let be created.
func (j *judge) admissions() {
	for i := range j.s.ReplicaSets {
		if rs := &j.s.ReplicaSets[i]; rs.Spec.Template.Labels[Label] == string(j.s.Release) {
			j.replicaSet(rs)
		}
	}
	got := map[string]int{}
	for _, p := range j.pods {
		got[j.workload(p)]++
	}
	for _, w := range j.s.Workloads {
		kind := w.GetKind()
		if kind == "Deployment" || got[w.GetName()] > 0 && got[w.GetName()] >= j.s.MinReady[w.GetName()] {
			continue
		}
		var last *corev1.Event
		for _, e := range j.about(kind, w.GetName(), w.GetUID()) {
			if e.Reason == "FailedCreate" && j.recent(e) && (last == nil || lastSeen(e).After(lastSeen(last))) {
				last = e
			}
		}
		if last != nil {
			j.notAdmitted(objectName(kind, w.GetName()), last.Message, last)
		}
	}
}

// replicaSet keeps the refusal as a condition for as long as it lasts.
func (j *judge) replicaSet(rs *appsv1.ReplicaSet) {
	for _, c := range rs.Status.Conditions {
		if c.Type != appsv1.ReplicaSetReplicaFailure || c.Status != corev1.ConditionTrue || c.Reason != "FailedCreate" {
			continue
		}
		name := objectName("ReplicaSet", rs.Name)
		if d := controller(rs.OwnerReferences); d != nil {
			name = objectName(d.Kind, d.Name)
		}
		e := &corev1.Event{FirstTimestamp: c.LastTransitionTime}
		j.notAdmitted(name, c.Message, e)
		return
	}
}

func (j *judge) notAdmitted(workload, said string, e *corev1.Event) {
	_, after, cut := strings.Cut(said, "is forbidden: ")
	why := said
	if cut {
		why = after
	}
	kind, hint, patience := j.admission(said)
	t := trouble{rank: admission, kind: kind, hint: hint}
	t.cause = fmt.Sprintf("%s gets no pods: %s", workload, clean(why))
	j.add(t, patience, j.age(firstSeen(e)))
}

// admission reads why a pod was refused. What a person has to change is final;
// a webhook that does not answer, or an object that is on its way, is not.
func (j *judge) admission(said string) (fault.Kind, string, time.Duration) {
	switch {
	case has(said, "exceeded quota"):
		patience := time.Duration(0)
		if !j.s.Held && j.leaving() {
			patience = j.p.Quota
		}
		return fault.Exhausted, "raise the ResourceQuota or lower resources.requests; new pods stand beside the old ones until they are ready", patience
	case has(said, "violates podsecurity"):
		return fault.Denied, "set the securityContext that the namespace's pod security level asks for", 0
	case has(said, "failed calling webhook", "timeout", "deadline exceeded", "connection refused"):
		return fault.Unavailable, "an admission webhook or the API server does not answer", j.p.Admission
	case has(said, "denied the request", "denied request"):
		return fault.Denied, "an admission policy of the cluster says no: follow its message, or ask who looks after it", 0
	case has(said, "serviceaccount") && has(said, "not found"):
		return fault.NotFound, "make the ServiceAccount part of the release, or create it in the namespace", j.p.Mount
	case has(said, "must specify"):
		return fault.Denied, "the namespace has a quota: set requests and limits for what it counts", 0
	case has(said, "forbidden"):
		return fault.Denied, "the cluster's rules forbid this pod: follow the message", 0
	case has(said, "is invalid"):
		return fault.Invalid, "correct the pod template", 0
	}
	return fault.Unavailable, "", j.p.Admission
}

// leaving tells whether an old pod is about to make room.
func (j *judge) leaving() bool {
	for i := range j.s.OldPods {
		if j.s.OldPods[i].DeletionTimestamp != nil {
			return true
		}
	}
	return false
}
