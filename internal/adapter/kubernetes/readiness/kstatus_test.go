package readiness_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

func TestAssess_Admission(t *testing.T) {
	refused := func(message string) readiness.Snapshot {
		s := snapshot(2)
		s.ReplicaSets = []appsv1.ReplicaSet{replicaSet(message)}
		return s
	}
	const quota = `pods "api-77-x" is forbidden: exceeded quota: team, requested: cpu=2, used: cpu=3, limited: cpu=4`
	const overQuota = "deployment api gets no pods: exceeded quota: team, requested: cpu=2, used: cpu=3, limited: cpu=4"
	const unauthorized = `pods "api-77-x" is forbidden: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "mlops"`
	leaving := modified(refused(quota), func(s *readiness.Snapshot) { s.Held, s.OldPods = false, []corev1.Pod{oldPod(deletedAt(20))} })
	set := func(message string, first, last int) readiness.Snapshot {
		s := snapshot(2)
		s.Workloads = []*unstructured.Unstructured{object("apps/v1", "StatefulSet", "api", nil, nil)}
		e := event("api-0", "FailedCreate", message, first, last)
		e.InvolvedObject = corev1.ObjectReference{Kind: "StatefulSet", Name: "api", UID: "StatefulSetapi"}
		return withEvents(s, e)
	}
	runCases(t, []testCase{
		{name: "quota", s: refused(quota), state: readiness.Failed, kind: fault.Exhausted, hint: "ResourceQuota", cause: overQuota},
		{name: "quota, old pods are leaving", s: leaving, state: readiness.Progressing, waiting: "0 of 1 pods ready; " + overQuota},
		{name: "quota, old pods left", s: modified(leaving, func(s *readiness.Snapshot) { s.Now = atSecond(30).Time }), state: readiness.Failed, kind: fault.Exhausted, hint: "ResourceQuota", cause: overQuota},
		{name: "quota, held", s: modified(leaving, func(s *readiness.Snapshot) { s.Held = true }), state: readiness.Failed, kind: fault.Exhausted, hint: "ResourceQuota", cause: overQuota},
		{name: "pod security", s: refused(`pods "api-77-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`),
			state: readiness.Failed, kind: fault.Denied, hint: "securityContext", cause: `deployment api gets no pods: violates PodSecurity "restricted:latest": runAsNonRoot != true`},
		{name: "webhook", s: refused(`admission webhook "policy.example.com" denied the request: no digest`),
			state: readiness.Failed, kind: fault.Denied, hint: "policy", cause: `deployment api gets no pods: admission webhook "policy.example.com" denied the request: no digest`},
		{name: "policy", s: refused(`pods "api-77-x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`),
			state: readiness.Failed, kind: fault.Denied, hint: "policy", cause: "deployment api gets no pods: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"},
		{name: "webhook is down", s: refused(`Internal error occurred: failed calling webhook "w": connection refused`), state: readiness.Progressing},
		{name: "controllers are not authorized yet", s: refused(unauthorized), state: readiness.Progressing},
		{name: "controllers stay unauthorized", s: modified(refused(unauthorized), func(s *readiness.Snapshot) { s.Now = atSecond(60).Time }),
			state: readiness.Failed, kind: fault.Unavailable, hint: "controllers", cause: `deployment api gets no pods: User "system:serviceaccount:kube-system:replicaset-controller" cannot create resource "pods" in API group "" in the namespace "mlops"`},
		{name: "service account", s: refused(`pods "api-77-" is forbidden: error looking up service account mlops/api: serviceaccount "api" not found`), state: readiness.Progressing},
		{name: "no service account", s: modified(refused(`pods "api-77-" is forbidden: error looking up service account mlops/api: serviceaccount "api" not found`), func(s *readiness.Snapshot) { s.Now = atSecond(20).Time }),
			state: readiness.Failed, kind: fault.NotFound, hint: "ServiceAccount", cause: `deployment api gets no pods: error looking up service account mlops/api: serviceaccount "api" not found`},
		{name: "limit range", s: refused(`pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2`),
			state: readiness.Failed, kind: fault.Denied, hint: "rules", cause: "deployment api gets no pods: maximum cpu usage per Container is 1, but limit is 2"},
		{name: "an old ReplicaSet", s: modified(refused(quota), func(s *readiness.Snapshot) { s.ReplicaSets[0].Spec.Template.Labels[labels.Release] = "r-bbbbbbbbbbbb" }), state: readiness.Progressing},
		{name: "stateful set", s: set(`create Pod api-0 in StatefulSet api failed error: pods "api-0" is forbidden: exceeded quota: team`, 1, 2),
			state: readiness.Failed, kind: fault.Exhausted, hint: "ResourceQuota", cause: "statefulset api gets no pods: exceeded quota: team"},
		{name: "stateful set, last time", s: set(`pods "api-0" is forbidden: exceeded quota: team`, -99, -60), state: readiness.Progressing},
	})
}

// notHeld returns a release that is no longer on hold.
func notHeld(seconds int, workloads ...*unstructured.Unstructured) readiness.Snapshot {
	s := snapshot(seconds, pod("api-77-a", readySince(1, 2)))
	s.Held, s.Workloads = false, workloads
	return s
}

func TestAssess_Objects(t *testing.T) {
	late := deployment(1, 0, "ProgressDeadlineExceeded")
	other := func(status map[string]any) *unstructured.Unstructured {
		return object("example.com/v1", "Thing", "t", nil, status)
	}
	odd := object("v1", "Service", "odd", map[string]any{"type": "LoadBalancer"}, nil)
	job := func(condition string) *unstructured.Unstructured {
		return object("batch/v1", "Job", "migrate", nil, map[string]any{"startTime": "x", "conditions": []any{
			map[string]any{"type": condition, "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}}})
	}
	ofJob := func(p *corev1.Pod) {
		p.OwnerReferences = owner("Job", "migrate")
		p.Status.Phase = corev1.PodFailed
		containerStatus(p).State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "no such table"}}
	}
	runCases(t, []testCase{
		{name: "current", s: notHeld(5, deployment(1, 1, "NewReplicaSetAvailable")), state: readiness.Ready, waiting: "1 of 1 pods ready"},
		{name: "not available", s: notHeld(5, deployment(1, 0, "ReplicaSetUpdated")), state: readiness.Progressing, waiting: "1 of 1 pods ready; deployment api: Available: 0/1"},
		{name: "not available, held", s: modified(notHeld(5, deployment(1, 0, "ReplicaSetUpdated")), func(s *readiness.Snapshot) { s.Held = true }), state: readiness.Ready},
		{name: "deadline", s: notHeld(5, late), state: readiness.Failed, kind: fault.Exhausted, hint: "raise progressDeadlineSeconds", cause: "deployment api took longer than its progressDeadlineSeconds"},
		{name: "deadline, held", s: modified(notHeld(5, late), func(s *readiness.Snapshot) { s.Held = true }), state: readiness.Ready},
		{name: "deadline with its cause", s: modified(notHeld(5, late), func(s *readiness.Snapshot) {
			s.Pods = []corev1.Pod{pod("api-77-a", waiting("ErrImagePull", "i/o timeout"))}
		}), state: readiness.Failed, kind: fault.Exhausted, hint: "nodes can reach",
			cause: "deployment api took longer than its progressDeadlineSeconds; container api of pod api-77-a: image " + image + " can't be pulled: i/o timeout"},
		{name: "pods short", s: modified(notHeld(5, deployment(1, 1, "NewReplicaSetAvailable")), func(s *readiness.Snapshot) { s.MinReady["api"] = 2 }), state: readiness.Progressing,
			waiting: "1 of 2 pods ready; waiting for pods to be created"},
		{name: "another object", s: modified(notHeld(5), func(s *readiness.Snapshot) {
			s.Objects = []*unstructured.Unstructured{nil, {}, odd}
		}), state: readiness.Progressing, waiting: "1 of 1 pods ready; service odd: ClusterIP not set. Service type: LoadBalancer"},
		{name: "another object, held", s: modified(notHeld(5), func(s *readiness.Snapshot) { s.Held, s.Objects = true, []*unstructured.Unstructured{odd} }), state: readiness.Ready},
		{name: "another object failed", s: notHeld(5, other(map[string]any{"conditions": []any{map[string]any{"type": "Stalled", "status": "True", "message": "no quota for it"}}})),
			state: readiness.Failed, kind: fault.Failed, cause: "thing t: no quota for it"},
		{name: "a status like no other", s: notHeld(5, other(map[string]any{"conditions": "fine"})), state: readiness.Ready},
		{name: "job failed", s: modified(notHeld(5, job("Failed")), func(s *readiness.Snapshot) { s.Pods = append(s.Pods, pod("migrate-1", ofJob)) }), state: readiness.Failed, kind: fault.Failed,
			cause: "container api of pod migrate-1 crashes: exit code 1: no such table (job migrate failed: BackoffLimitExceeded: Job has reached the specified backoff limit)"},
		{name: "job failed, held", s: modified(notHeld(5, job("Failed")), func(s *readiness.Snapshot) { s.Held = true }), state: readiness.Failed, kind: fault.Failed,
			cause: "job migrate failed: BackoffLimitExceeded: Job has reached the specified backoff limit"},
		{name: "job done", s: notHeld(5, job("Complete")), state: readiness.Ready},
		{name: "job tries again", s: modified(notHeld(5), func(s *readiness.Snapshot) {
			s.MinReady["api"] = 2
			s.Pods = append(s.Pods, pod("migrate-1", ofJob, running(1), terminated(9, 1, "Error", 4)))
		}), state: readiness.Progressing, waiting: "1 of 2 pods ready; container api of pod migrate-1 crashes: exit code 1"},
	})
}

func TestAssess_Terminations(t *testing.T) {
	stuck := func(now int, finalizers ...string) readiness.Snapshot {
		s := notHeld(now, deployment(1, 0, "ReplicaSetUpdated"))
		s.OldPods = []corev1.Pod{oldPod(deletedAt(10, finalizers...))}
		return s
	}
	dead := node("n1", "4")
	dead.Status.Conditions[0].Status = corev1.ConditionUnknown
	const cause = "old pod api-66-x is still terminating: 50s past its grace period, on node n1"
	runCases(t, []testCase{
		{name: "within its grace", s: stuck(5), state: readiness.Progressing, waiting: "1 of 1 pods ready; deployment api: Available: 0/1"},
		{name: "reported as progress", s: stuck(60), state: readiness.Progressing, waiting: "1 of 1 pods ready; " + cause},
		{name: "finalizer", s: stuck(60, "example.com/drain"), state: readiness.Progressing, waiting: "1 of 1 pods ready; " + cause + ", held by finalizer example.com/drain"},
		{name: "dead node", s: withNodes(stuck(60), dead), state: readiness.Progressing, waiting: "1 of 1 pods ready; " + cause + ", which is not responding"},
		{name: "too long", s: stuck(130, "example.com/drain"), state: readiness.Failed, kind: fault.Exhausted, hint: "controller is running",
			cause: "old pod api-66-x is still terminating: 2m0s past its grace period, on node n1, held by finalizer example.com/drain"},
		{name: "too long, held", s: modified(stuck(130), func(s *readiness.Snapshot) { s.Held = true }), state: readiness.Ready},
		{name: "no workload waits for it", s: modified(stuck(130), func(s *readiness.Snapshot) { s.Workloads = nil }), state: readiness.Ready,
			waiting: "1 of 1 pods ready; old pod api-66-x is still terminating: 2m0s past its grace period, on node n1"},
	})
	if v := readiness.Assess(stuck(30)); v.RequeueAfter <= 0 || v.RequeueAfter.Seconds() > 11 {
		t.Errorf("RequeueAfter = %s 20 s past the grace period, want just over 10 s", v.RequeueAfter)
	}
}
