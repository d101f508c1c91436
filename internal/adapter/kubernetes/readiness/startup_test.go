package readiness_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

// slowStart returns a pod whose startup probe allows 80 s, and its readiness probe 10.
func slowStart(now int, started bool) readiness.Snapshot {
	s := probeFailing(now, 0, corev1.Probe{PeriodSeconds: 2, FailureThreshold: 2}, "")
	c := &s.Pods[0].Spec.Containers[0]
	c.StartupProbe = &corev1.Probe{ProbeHandler: c.ReadinessProbe.ProbeHandler, PeriodSeconds: 2, FailureThreshold: 40}
	containerStatus(&s.Pods[0]).Started = &started
	return s
}

// TestAssess_SlowStart: how long a service takes to start is its startup probe's
// business; the time to become ready begins when it has passed.
func TestAssess_SlowStart(t *testing.T) {
	passedAt := func(s readiness.Snapshot, second int) readiness.Snapshot {
		s.Startups = readiness.Startups{}
		s.Startups.Note(s.Pods, atSecond(second).Time)
		return s
	}
	const startup404 = "Startup probe failed: HTTP probe failed with statuscode: 404"
	for _, c := range []struct {
		name  string
		s     readiness.Snapshot
		state readiness.State
	}{
		{"starting", slowStart(79, false), readiness.Progressing},
		{"404 until the model is loaded", withEvents(slowStart(60, false), event("api-77-a", "Unhealthy", startup404, 1, 59)), readiness.Progressing},
		{"passed a moment ago", passedAt(slowStart(42, true), 41), readiness.Progressing},
		{"503 since it passed", passedAt(withEvents(slowStart(46, true), event("api-77-a", "Unhealthy", message503, 42, 46)), 41), readiness.Progressing},
		{"503 for too long", passedAt(withEvents(slowStart(52, true), event("api-77-a", "Unhealthy", message503, 42, 52)), 41), readiness.Failed},
		{"404 since it passed", passedAt(withEvents(slowStart(47, true), event("api-77-a", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", 42, 46)), 41), readiness.Failed},
		{"not observed: after its last failure", withEvents(slowStart(42, true), event("api-77-a", "Unhealthy", startup404, 1, 40)), readiness.Progressing},
		{"observed in the instance before", modified(passedAt(slowStart(200, true), 41), func(s *readiness.Snapshot) {
			containerStatus(&s.Pods[0]).RestartCount = 1
			running(150)(&s.Pods[0])
			s.Startups.Note(s.Pods, atSecond(199).Time)
		}), readiness.Progressing},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := readiness.Assess(c.s); v.State != c.state {
				t.Errorf("State = %s (%s%s), want %s", v.State, v.Progress, v.Cause, c.state)
			}
		})
	}
}

func TestStartups_KeepFirst(t *testing.T) {
	s := slowStart(60, true)
	s.Startups = readiness.Startups{}
	s.Startups.Note(s.Pods, atSecond(41).Time)
	s.Startups.Note(s.Pods, atSecond(59).Time)
	if v := readiness.Assess(withEvents(s, event("api-77-a", "Unhealthy", message503, 42, 59))); v.State != readiness.Failed {
		t.Errorf("State = %s, want failed: it passed 19 s ago, however often that was seen", v.State)
	}
}

func TestStartupBudget(t *testing.T) {
	p := pod("a")
	if got := readiness.StartupBudget(p.Spec); got != 0 {
		t.Errorf("without a startup probe = %s", got)
	}
	p.Spec.Containers[0].StartupProbe = &corev1.Probe{InitialDelaySeconds: 5, PeriodSeconds: 10, FailureThreshold: 120}
	if got, want := readiness.StartupBudget(p.Spec), 5*time.Second+20*time.Minute; got != want {
		t.Errorf("budget = %s, want %s", got, want)
	}
}

// waitingInInit returns a pod whose init container has run since second 1.
func waitingInInit(now int) readiness.Snapshot {
	return snapshot(now, pod("api-77-a", func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "migrate"}}
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
			Name: "migrate", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: atSecond(1)}},
		}}
		p.Status.ContainerStatuses[0].State.Waiting.Reason = "PodInitializing"
	}))
}

// TestAssess_InitContainer: one that hangs is named from the beginning, and given the
// time in which its workload has to make progress.
func TestAssess_InitContainer(t *testing.T) {
	within := func(s readiness.Snapshot, d time.Duration) readiness.Snapshot {
		s.Deadline = map[string]time.Duration{"api": d}
		return s
	}
	const name = "init container migrate of pod api-77-a has not ended after "
	key := readiness.LogKey{Namespace: "mlops", Pod: "api-77-a", Container: "migrate"}
	runCases(t, []testCase{
		{name: "by default", s: waitingInInit(600), state: readiness.Progressing, waiting: "0 of 1 pods ready; " + name + "9m59s"},
		{name: "the API's deadline", s: waitingInInit(601), state: readiness.Failed, kind: fault.Failed, cause: name + "10m0s", hint: "progressDeadlineSeconds"},
		{name: "its own deadline", s: within(waitingInInit(31), 30*time.Second), state: readiness.Failed, kind: fault.Failed, cause: name + "30s", hint: "progressDeadlineSeconds"},
		{name: "a longer deadline", s: within(waitingInInit(900), time.Hour), state: readiness.Progressing},
		{name: "of a Job", s: modified(waitingInInit(900), func(s *readiness.Snapshot) { s.Pods[0].OwnerReferences = owner("Job", "migrate") }), state: readiness.Progressing},
	})
	s := waitingInInit(601)
	s.Logs = map[readiness.LogKey][]string{key: {"connecting", "there is no database yet"}}
	if v, want := readiness.Assess(s), name+"10m0s: there is no database yet"; v.Cause != want {
		t.Errorf("cause = %q, want %q", v.Cause, want)
	}
	if v := readiness.Assess(waitingInInit(601)); len(v.LogsNeeded) != 1 || v.LogsNeeded[0] != key {
		t.Errorf("LogsNeeded = %v, want that of the init container", v.LogsNeeded)
	}
}
