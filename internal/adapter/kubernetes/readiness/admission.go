package readiness

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
)

// assessAdmission looks for pods that the API server refuses to create.
func (a *assessor) assessAdmission() {
	for i := range a.snapshot.ReplicaSets {
		if rs := &a.snapshot.ReplicaSets[i]; rs.Spec.Template.Labels[labels.Release] == string(a.snapshot.Release) {
			a.assessReplicaSet(rs)
		}
	}
	got := map[string]int{}
	for _, p := range a.pods {
		got[a.workload(p)]++
	}
	for _, w := range a.snapshot.Workloads {
		kind := w.GetKind()
		if kind == "Deployment" || got[w.GetName()] > 0 && got[w.GetName()] >= a.snapshot.MinReady[w.GetName()] {
			continue
		}
		var last *corev1.Event
		for _, e := range a.eventsOf(kind, w.GetName(), w.GetUID()) {
			if e.Reason == "FailedCreate" && a.isRecent(e) && (last == nil || lastSeen(e).After(lastSeen(last))) {
				last = e
			}
		}
		if last != nil {
			a.addAdmissionProblem(objectName(kind, w.GetName()), last.Message, last)
		}
	}
}

// assessReplicaSet reads the ReplicaFailure condition, which lasts as long as the
// refusal.
func (a *assessor) assessReplicaSet(rs *appsv1.ReplicaSet) {
	for _, c := range rs.Status.Conditions {
		if c.Type != appsv1.ReplicaSetReplicaFailure || c.Status != corev1.ConditionTrue || c.Reason != "FailedCreate" {
			continue
		}
		name := objectName("ReplicaSet", rs.Name)
		if d := controllerRef(rs.OwnerReferences); d != nil {
			name = objectName(d.Kind, d.Name)
		}
		e := &corev1.Event{FirstTimestamp: c.LastTransitionTime}
		a.addAdmissionProblem(name, c.Message, e)
		return
	}
}

func (a *assessor) addAdmissionProblem(workload, message string, e *corev1.Event) {
	_, after, cut := strings.Cut(message, "is forbidden: ")
	why := message
	if cut {
		why = after
	}
	kind, hint, patience := a.classifyAdmission(message)
	t := problem{rank: rankAdmission, kind: kind, hint: hint, infrastructure: !isRefusedForContent(message)}
	t.cause = fmt.Sprintf("%s gets no pods: %s", workload, clean(why))
	a.addProblem(t, patience, a.elapsed(firstSeen(e)))
}

// classifyAdmission determines why a pod was refused. What a person has to change is
// permanent; an unresponsive webhook or an object that may still be created is not.
func (a *assessor) classifyAdmission(message string) (fault.Kind, string, time.Duration) {
	switch {
	case containsAny(message, "exceeded quota"):
		patience := time.Duration(0)
		if !a.snapshot.Held && a.oldPodTerminating() {
			patience = a.timeouts.Quota
		}
		return fault.Exhausted, "raise the ResourceQuota or lower resources.requests; new pods run alongside the old ones until they are ready", patience
	case containsAny(message, "violates podsecurity"):
		return fault.Denied, "set the securityContext that the namespace's pod security level requires", 0
	case containsAny(message, "failed calling webhook", "timeout", "deadline exceeded", "connection refused"):
		return fault.Unavailable, "an admission webhook or the API server does not respond", a.timeouts.Admission
	case containsAny(message, "denied the request", "denied request"):
		return fault.Denied, "an admission policy of the cluster rejects the pod: follow its message, or contact the cluster's administrator", 0
	case containsAny(message, "serviceaccount") && containsAny(message, "not found"):
		return fault.NotFound, "make the ServiceAccount part of the release, or create it in the namespace", a.timeouts.Mount
	case containsAny(message, "must specify"):
		return fault.Denied, "the namespace has a quota: set requests and limits for the resources it covers", 0
	case containsAny(message, `user "system:`) && containsAny(message, "cannot create resource"):
		// An API server that has just started authorizes no one until it has read
		// the roles: the refusal concerns its controllers, not the pod.
		return fault.Unavailable, "the cluster's own controllers are not authorized: the API server has just started, or its roles are damaged", a.timeouts.Admission
	case containsAny(message, "forbidden"):
		return fault.Denied, "the cluster's rules forbid this pod: follow the message", 0
	case containsAny(message, "is invalid"):
		return fault.Invalid, "correct the pod template", 0
	}
	return fault.Unavailable, "", a.timeouts.Admission
}

// isRefusedForContent reports whether a pod was refused for what it is, by whatever
// namespace with such rules. Otherwise the namespace lacks something that the release
// does not bring: room in its quota, rights, a ServiceAccount.
func isRefusedForContent(message string) bool {
	if containsAny(message, "exceeded quota", "failed calling webhook") {
		return false
	}
	return containsAny(message, "violates podsecurity", "denied the request", "denied request", "is invalid")
}

// oldPodTerminating reports whether an old pod is about to free its resources.
func (a *assessor) oldPodTerminating() bool {
	for i := range a.snapshot.OldPods {
		if a.snapshot.OldPods[i].DeletionTimestamp != nil {
			return true
		}
	}
	return false
}
