package readiness_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	release = delivery.ReleaseID("r-aaaaaaaaaaaa")
	image   = "registry:5000/mlops/api@sha256:1234"
)

var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// atSecond returns the time that many seconds after the start of the phase.
func atSecond(seconds int) metav1.Time {
	return metav1.NewTime(epoch.Add(time.Duration(seconds) * time.Second))
}

// testCase is a snapshot and its expected status: for a failed one the kind, the whole
// cause and a part of the hint, for others the progress.
type testCase struct {
	name    string
	s       readiness.Snapshot
	state   readiness.State
	kind    fault.Kind
	cause   string
	hint    string
	waiting string
}

func runCases(t *testing.T, rows []testCase) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			v := readiness.Assess(r.s)
			if v.State != r.state {
				t.Fatalf("State = %s, want %s\n%+v", v.State, r.state, v)
			}
			if v.Cause != r.cause || v.Kind != r.kind {
				t.Errorf("Cause = %s: %s\nwant    %s: %s", v.Kind, v.Cause, r.kind, r.cause)
			}
			if r.waiting != "" && v.Progress != r.waiting {
				t.Errorf("Progress = %s\nwant       %s", v.Progress, r.waiting)
			}
			if !strings.Contains(v.Hint, r.hint) || (v.Hint == "") != (r.hint == "") {
				t.Errorf("Hint = %q, want %q in it", v.Hint, r.hint)
			}
			if r.state != readiness.Progressing && v.RequeueAfter != 0 {
				t.Errorf("RequeueAfter = %s in a final state", v.RequeueAfter)
			}
		})
	}
}

// snapshot returns a held release, assessed that many seconds after the start of the
// phase.
func snapshot(seconds int, pods ...corev1.Pod) readiness.Snapshot {
	return readiness.Snapshot{
		Release: release, Held: true, MinReady: map[string]int{"api": max(1, len(pods))},
		Pods: pods, Now: atSecond(seconds).Time, PhaseStart: epoch,
	}
}

func owner(kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{Kind: kind, Name: name, UID: types.UID(kind + name), Controller: &yes}}
}

// pod returns a pod that was scheduled at 0, with a container api that was not created
// yet.
func pod(name string, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "mlops", UID: types.UID(name), CreationTimestamp: atSecond(0),
			Labels:          map[string]string{labels.Release: string(release), appsv1.DefaultDeploymentUniqueLabelKey: "77"},
			OwnerReferences: owner("ReplicaSet", "api-77"),
		},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "api", Image: image}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: atSecond(0)},
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: atSecond(0)},
			},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "api"}},
		},
	}
	p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	for _, c := range change {
		c(&p)
	}
	return p
}

func containerStatus(p *corev1.Pod) *corev1.ContainerStatus { return &p.Status.ContainerStatuses[0] }

func waiting(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		containerStatus(p).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
}

// running: the container has been running since that second, and is not ready.
func running(since int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodRunning
		containerStatus(p).State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: atSecond(since)}}
	}
}

// readySince: the container has been running since one second and ready since another.
func readySince(since, ready int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		running(since)(p)
		containerStatus(p).Ready = true
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: atSecond(0)},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: atSecond(ready)},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: atSecond(ready)},
		}
	}
}

// terminated: the last instance ran for one second and ended with that code and reason.
func terminated(restarts int32, code int32, reason string, finished int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		containerStatus(p).RestartCount = restarts
		containerStatus(p).LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, StartedAt: atSecond(finished - 1), FinishedAt: atSecond(finished),
		}
	}
}

func deletedAt(seconds int, finalizers ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		when := atSecond(seconds)
		p.DeletionTimestamp, p.Finalizers = &when, finalizers
	}
}

func oldPod(change ...func(*corev1.Pod)) corev1.Pod {
	p := pod("api-66-x", change...)
	p.Labels = map[string]string{labels.Release: "r-bbbbbbbbbbbb"}
	return p
}

func withReadinessProbe(p *corev1.Probe) func(*corev1.Pod) {
	if p.HTTPGet == nil && p.Exec == nil {
		p.HTTPGet = &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8080)}
	}
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].ReadinessProbe = p }
}

func withResources(name corev1.ResourceName, request, limit string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		r := &p.Spec.Containers[0].Resources
		if request != "" {
			r.Requests = corev1.ResourceList{name: resource.MustParse(request)}
		}
		if limit != "" {
			r.Limits = corev1.ResourceList{name: resource.MustParse(limit)}
		}
	}
}

// event returns a warning about the container api of a pod, first and last seen at those
// seconds.
func event(pod, reason, message string, first, last int) corev1.Event {
	return corev1.Event{
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "mlops", Name: pod, UID: types.UID(pod), FieldPath: "spec.containers{api}"},
		Reason:         reason, Message: message, FirstTimestamp: atSecond(first), LastTimestamp: atSecond(last),
	}
}

func modified(s readiness.Snapshot, change func(*readiness.Snapshot)) readiness.Snapshot {
	change(&s)
	return s
}

// withCount returns an event that occurred that many times.
func withCount(n int32, e corev1.Event) corev1.Event {
	e.Count = n
	return e
}

func withEvents(s readiness.Snapshot, more ...corev1.Event) readiness.Snapshot {
	s.Events = append(s.Events, more...)
	return s
}

func node(name, cpu string) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("16265996Ki")}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

func replicaSet(failure string) appsv1.ReplicaSet {
	rs := appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "api-77", UID: "ReplicaSetapi-77", OwnerReferences: owner("Deployment", "api")}}
	rs.Spec.Template.Labels = map[string]string{labels.Release: string(release)}
	if failure != "" {
		rs.Status.Conditions = []appsv1.ReplicaSetCondition{{
			Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: failure, LastTransitionTime: atSecond(0),
		}}
	}
	return rs
}

func object(version, kind, name string, spec, status map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version, "kind": kind,
		"metadata": map[string]any{"name": name, "uid": kind + name, "generation": int64(2)},
		"spec":     spec, "status": status,
	}}
}

// deployment returns a live Deployment with that many replicas, all new, of which some
// are available.
func deployment(replicas, available int64, progressing string) *unstructured.Unstructured {
	state := "False"
	if available == replicas {
		state = "True"
	}
	return object("apps/v1", "Deployment", "api",
		map[string]any{"replicas": replicas, "progressDeadlineSeconds": int64(600)},
		map[string]any{
			"observedGeneration": int64(2), "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": available, "availableReplicas": available,
			"conditions": []any{
				map[string]any{"type": "Progressing", "status": "True", "reason": progressing},
				map[string]any{"type": "Available", "status": state},
			},
		})
}
