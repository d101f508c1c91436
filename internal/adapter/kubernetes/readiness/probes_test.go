package readiness_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	message503     = "Readiness probe failed: HTTP probe failed with statuscode: 503"
	saysRefused    = "dial tcp 10.0.0.2:8080: connect: connection refused"
	messageRefused = "Readiness probe failed: " + saysRefused
)

// probeFailing returns a pod whose container has been running since second 1 and whose
// readiness probe was last reported to fail at last.
func probeFailing(now, last int, probe corev1.Probe, message string) readiness.Snapshot {
	s := snapshot(now, pod("api-77-a", running(1), withReadinessProbe(&probe)))
	if message == "" {
		return s
	}
	return withEvents(s, event("api-77-a", "Unhealthy", message, 1, last))
}

// withOldPodReadyIn adds an old pod that took that many seconds to become ready.
func withOldPodReadyIn(s readiness.Snapshot, took int) readiness.Snapshot {
	s.OldPods = append(s.OldPods, oldPod(readySince(-1000, -1000+took)))
	return s
}

func TestAssess_Probes(t *testing.T) {
	cause := func(after, said string) string {
		return "container api of pod api-77-a is not ready after " + after + ": its readiness probe (GET :8080/ready) fails: " + said
	}
	doomed := func(name string, s readiness.Snapshot, cause string) testCase {
		return testCase{name: name, s: s, state: readiness.Failed, kind: fault.Failed, hint: "path and port", cause: cause}
	}
	waiting := func(name string, s readiness.Snapshot) testCase {
		return testCase{name: name, s: s, state: readiness.Progressing}
	}
	const says503 = "HTTP probe failed with statuscode: 503"
	var usual corev1.Probe // every 10 s, three times
	quick := corev1.Probe{PeriodSeconds: 2}
	runCases(t, []testCase{
		// Without a pod to compare with: the delay and three periods.
		waiting("first release, 30 s", probeFailing(30, 21, usual, message503)),
		doomed("first release, 31 s", probeFailing(31, 31, usual, message503), cause("30s", says503)),
		waiting("first release, delay", probeFailing(31, 31, corev1.Probe{InitialDelaySeconds: 20}, message503)),
		waiting("first release, every 2 s, 9 s", probeFailing(10, 9, quick, message503)),
		doomed("first release, every 2 s, 10 s", probeFailing(11, 11, quick, message503), cause("10s", says503)),
		waiting("a wish for time", probeFailing(99, 99, corev1.Probe{FailureThreshold: 12}, message503)),

		// Old pods were ready at once: as soon as a second probe has failed.
		waiting("one early probe is no proof", withOldPodReadyIn(probeFailing(11, 1, usual, message503), 1)),
		doomed("two probes", withOldPodReadyIn(probeFailing(11, 11, usual, message503), 1), cause("10s", says503)),
		doomed("the second was not reported", withOldPodReadyIn(probeFailing(13, 1, usual, message503), 1), cause("12s", says503)),
		waiting("every 2 s, 2 s", withOldPodReadyIn(probeFailing(3, 3, quick, message503), 0)),
		doomed("every 2 s, 3 s", withOldPodReadyIn(probeFailing(4, 3, quick, message503), 0), cause("3s", says503)),
		waiting("every 2 s, 4 s, nothing listens", withOldPodReadyIn(probeFailing(5, 5, quick, messageRefused), 0)),
		doomed("every 2 s, 6 s, nothing listens", withOldPodReadyIn(probeFailing(7, 7, quick, messageRefused), 0), cause("6s", saysRefused)),
		waiting("every 2 s, 4 s, the old ones took a second", withOldPodReadyIn(probeFailing(5, 5, quick, message503), 1)),
		doomed("every 2 s, 6 s", withOldPodReadyIn(probeFailing(7, 7, quick, message503), 1), cause("6s", says503)),
		waiting("the old ones took long", withOldPodReadyIn(probeFailing(90, 90, quick, message503), 30)),
		doomed("much longer than the old ones", withOldPodReadyIn(probeFailing(94, 94, quick, message503), 30), cause("1m33s", says503)),
		doomed("an old pod with a late hiccup", withOldPodReadyIn(probeFailing(31, 31, usual, message503), 900), cause("30s", says503)),
		waiting("a wish for time beats the old ones", withOldPodReadyIn(probeFailing(99, 99, corev1.Probe{FailureThreshold: 12}, message503), 1)),

		// A permanent failure.
		waiting("no such path, settling", probeFailing(5, 1, usual, "Readiness probe failed: HTTP probe failed with statuscode: 404")),
		doomed("no such path", probeFailing(6, 1, usual, "Readiness probe failed: HTTP probe failed with statuscode: 404"), cause("5s", "HTTP probe failed with statuscode: 404")),

		// No report at all.
		waiting("silence, 30 s", probeFailing(31, 0, usual, "")),
		doomed("silence, 60 s", probeFailing(61, 0, usual, ""), "container api of pod api-77-a is not ready after 1m0s: its readiness probe (GET :8080/ready) has not passed"),
		waiting("a report of the instance before", modified(probeFailing(31, -5, usual, message503), func(s *readiness.Snapshot) { s.Events[0].FirstTimestamp = atSecond(-9) })),
		waiting("a node whose clock is behind", modified(probeFailing(5, 1, quick, message503), func(s *readiness.Snapshot) {
			running(-300)(&s.Pods[0])
			s.Pods[0].Status.Conditions[1].LastTransitionTime = atSecond(-300)
			s.Events[0].LastTimestamp = atSecond(-299)
			s.Events[0].FirstTimestamp = atSecond(-299)
		})),
		waiting("was ready for days", modified(probeFailing(20, 19, quick, message503), func(s *readiness.Snapshot) {
			running(-90000)(&s.Pods[0])
			s.Pods[0].Status.Conditions[1].LastTransitionTime = atSecond(15)
		})),
		waiting("no probe, a readiness gate", modified(snapshot(99, pod("api-77-a", running(1))), func(s *readiness.Snapshot) {
			s.Pods[0].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/x"}}
			containerStatus(&s.Pods[0]).Ready = true
		})),

		doomed("patience", modified(probeFailing(5, 2, usual, message503), func(s *readiness.Snapshot) { s.Timeouts.Ready = 4 * time.Second }), cause("4s", says503)),
		waiting("more patience", modified(probeFailing(99, 99, usual, message503), func(s *readiness.Snapshot) { s.Timeouts.Ready = time.Hour })),
		doomed("command", probeFailing(31, 31, corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"check", "me"}}}}, "Readiness probe failed: not yet"),
			"container api of pod api-77-a is not ready after 30s: its readiness probe (command check me) fails: not yet"),
	})
}

// The kubelet enforces the startup probe; until then readiness does not matter.
func TestAssess_StartupProbe(t *testing.T) {
	s := probeFailing(200, 1, corev1.Probe{}, "")
	s.Pods[0].Spec.Containers[0].StartupProbe = &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}},
		FailureThreshold: 30,
	}
	s = withEvents(s, event("api-77-a", "Unhealthy", "Startup probe failed: connect: connection refused", 1, 199))
	v := readiness.Assess(s)
	want := "0 of 1 pods ready; container api of pod api-77-a is not ready after 3m19s: its startup probe (TCP :http) fails: connect: connection refused"
	if v.State != readiness.Progressing || v.Progress != want {
		t.Errorf("State = %s, Progress = %s\nwant %s, %s", v.State, v.Progress, readiness.Progressing, want)
	}
}

// TestAssess_PortNotSet: own manifests may lack the variable that the service reads.
func TestAssess_PortNotSet(t *testing.T) {
	const refused = "Readiness probe failed: Get \"http://10.0.0.1:8080/ready\": dial tcp 10.0.0.1:8080: connect: connection refused"
	for _, set := range []bool{false, true} {
		s := probeFailing(31, 31, corev1.Probe{}, refused)
		if set {
			s.Pods[0].Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PORT", Value: "8000"}}
		}
		if v := readiness.Assess(s); v.State != readiness.Failed || strings.Contains(v.Hint, "set it in the container's env") == set {
			t.Errorf("PORT set: %v: State = %s, Hint = %q", set, v.State, v.Hint)
		}
	}
}

// RequeueAfter is when time alone changes the status.
func TestAssess_RequeueAfter(t *testing.T) {
	s := probeFailing(10, 1, corev1.Probe{}, message503)
	v := readiness.Assess(s)
	if v.State != readiness.Progressing || v.RequeueAfter != 21*time.Second {
		t.Fatalf("State = %s, RequeueAfter = %s, want progressing, 21s", v.State, v.RequeueAfter)
	}
	s.Now = s.Now.Add(v.RequeueAfter)
	if v := readiness.Assess(s); v.State != readiness.Failed {
		t.Errorf("State after RequeueAfter = %s, want failed", v.State)
	}
}
