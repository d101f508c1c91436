package readiness_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

func withLogs(s readiness.Snapshot, previous bool, lines ...string) readiness.Snapshot {
	s.Logs = map[readiness.LogKey][]string{{Namespace: "mlops", Pod: "api-77-a", Container: "api", Previous: previous}: lines}
	return s
}

func initContainer(p *corev1.Pod) {
	p.Spec.InitContainers = []corev1.Container{{Name: "slipway-model"}}
	s := corev1.ContainerStatus{Name: "slipway-model", RestartCount: 1}
	s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container"}
	s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", Message: "model m@7: digest is sha256:bad, want sha256:good"}
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{s}
	waiting("PodInitializing", "")(p)
}

// oldPodReady adds a pod of the release before that is ready.
func oldPodReady(s *readiness.Snapshot) {
	s.OldPods = append(s.OldPods, oldPod(readySince(-1000, -999)))
}

func TestAssess_Crashes(t *testing.T) {
	loop := waiting("CrashLoopBackOff", "back-off 10s restarting failed container=api pod=api-77-a_mlops(1)")
	runCases(t, []testCase{
		{name: "loop", s: withLogs(snapshot(3, pod("api-77-a", terminated(1, 1, "Error", 2), loop)), true, "starting", "refusing to start: no model", ""),
			state: readiness.Failed, kind: fault.Failed, hint: "check its log", waiting: "0 of 1 pods ready; container api of pod api-77-a crashes: exit code 1: refusing to start: no model",
			cause: "container api of pod api-77-a crashes: exit code 1: refusing to start: no model"},
		{name: "panic", s: withLogs(snapshot(3, pod("api-77-a", terminated(1, 2, "Error", 2), loop)), true, "panic: nil map", "", "goroutine 1 [running]:", "main.main()"),
			state: readiness.Failed, kind: fault.Failed, hint: "log", cause: "container api of pod api-77-a crashes: exit code 2: panic: nil map"},
		{name: "first crash may heal", s: snapshot(3, pod("api-77-a", running(2), terminated(1, 1, "Error", 2))), state: readiness.Progressing,
			waiting: "0 of 1 pods ready; container api of pod api-77-a crashes: exit code 1"},
		{name: "second crash, third try runs", s: snapshot(9, pod("api-77-a", running(8), terminated(2, 1, "Error", 7))),
			state: readiness.Failed, kind: fault.Failed, hint: "log", cause: "container api of pod api-77-a crashes: exit code 1"},
		{name: "two pods crash alike, where the old ones run", s: modified(snapshot(3, pod("api-77-a", running(2), terminated(1, 1, "Error", 2)), pod("api-77-b", terminated(0, 1, "Error", 2))), oldPodReady),
			state: readiness.Failed, kind: fault.Failed, hint: "log", cause: "container api of pod api-77-a crashes: exit code 1"},
		{name: "two pods crash differently", s: modified(snapshot(3, pod("api-77-a", running(2), terminated(1, 1, "Error", 2)), pod("api-77-b", terminated(0, 7, "Error", 2))), oldPodReady), state: readiness.Progressing},
		{name: "two pods crash alike, and a third one is ready", s: modified(snapshot(9, pod("api-77-a", terminated(0, 1, "Error", 3)), pod("api-77-b", terminated(0, 1, "Error", 3)), pod("api-77-c", readySince(2, 3))), oldPodReady), state: readiness.Progressing},
		{name: "two pods of a first release crash alike", s: snapshot(3, pod("api-77-a", running(2), terminated(1, 1, "Error", 2)), pod("api-77-b", terminated(0, 1, "Error", 2))), state: readiness.Progressing},
		{name: "healed", s: snapshot(9, pod("api-77-a", terminated(2, 1, "Error", 3), readySince(5, 6))), state: readiness.Ready, waiting: "1 of 1 pods ready"},
		{name: "a sibling is ready, so it can run", s: snapshot(9, pod("api-77-a", terminated(2, 1, "Error", 3), loop), pod("api-77-b", readySince(2, 3))),
			state: readiness.Progressing, waiting: "1 of 2 pods ready; container api of pod api-77-a crashes: exit code 1"},
		{name: "a sibling is ready, but it goes on", s: snapshot(99, pod("api-77-a", terminated(3, 1, "Error", 80), loop), pod("api-77-b", readySince(2, 3))),
			state: readiness.Failed, kind: fault.Failed, hint: "log", cause: "container api of pod api-77-a crashes: exit code 1"},
		{name: "crashed last week", s: snapshot(2, pod("api-77-a", running(1), terminated(5, 1, "Error", -7*86400))), state: readiness.Progressing,
			waiting: "0 of 1 pods ready; pod api-77-a: waiting for container api to become ready"},
		{name: "patience", s: modified(snapshot(3, pod("api-77-a", terminated(1, 1, "Error", 2), loop)), func(s *readiness.Snapshot) { s.Timeouts.MaxCrashes = 4 }), state: readiness.Progressing},
		{name: "ends by itself", s: snapshot(9, pod("api-77-a", terminated(1, 0, "Completed", 8), loop)),
			state: readiness.Failed, kind: fault.Failed, hint: "keep running", cause: "container api of pod api-77-a ends: exit code 0"},
		{name: "signal", s: snapshot(9, pod("api-77-a", terminated(1, 139, "Error", 8), loop)),
			state: readiness.Failed, kind: fault.Failed, hint: "log", cause: "container api of pod api-77-a crashes: exit code 139 (SIGSEGV: segmentation fault)"},
		{name: "no such command", s: snapshot(2, pod("api-77-a", running(1), terminated(1, 127, "Error", 1))),
			state: readiness.Failed, kind: fault.Failed, hint: "command and args", cause: "container api of pod api-77-a crashes: exit code 127 (command not found)"},
		{name: "out of memory", s: snapshot(2, pod("api-77-a", withResources("memory", "", "128Mi"), terminated(1, 137, "OOMKilled", 2), running(2))),
			state: readiness.Failed, kind: fault.Exhausted, hint: "raise resources.limits.memory of container api",
			cause: "container api of pod api-77-a needs more than its memory limit of 128Mi (exit code 137, OOMKilled)"},
		{name: "out of the node's memory", s: snapshot(2, pod("api-77-a", terminated(0, 137, "OOMKilled", 2), loop)),
			state: readiness.Failed, kind: fault.Exhausted, hint: "requests.memory",
			cause: "container api of pod api-77-a was killed because its node ran out of memory (exit code 137, OOMKilled)"},
		{name: "init container", s: snapshot(3, pod("api-77-a", initContainer)),
			state: readiness.Failed, kind: fault.Failed, hint: "its model",
			cause: "init container slipway-model of pod api-77-a crashes: exit code 3: model m@7: digest is sha256:bad, want sha256:good"},
		{name: "liveness", s: withEvents(snapshot(70, pod("api-77-a", terminated(1, 137, "Error", 66), loop)), withCount(3, event("api-77-a", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", 36, 65))),
			state: readiness.Failed, kind: fault.Failed, hint: "path, port and timeouts",
			cause: "container api of pod api-77-a is killed by its liveness probe: HTTP probe failed with statuscode: 500"},
		{name: "startup probe used up", s: withEvents(snapshot(35, pod("api-77-a", running(34), terminated(1, 137, "Error", 33), func(p *corev1.Pod) { containerStatus(p).LastTerminationState.Terminated.StartedAt = atSecond(2) })),
			withCount(30, event("api-77-a", "Unhealthy", "Startup probe failed: dial tcp 10.0.0.2:8080: connect: connection refused", 3, 32))),
			state: readiness.Failed, kind: fault.Failed, hint: "path, port and timeouts",
			cause: "container api of pod api-77-a is killed by its startup probe: dial tcp 10.0.0.2:8080: connect: connection refused"},
		{name: "crash at the first probe", s: withEvents(snapshot(6, pod("api-77-a", running(4), terminated(1, 1, "Error", 3), func(p *corev1.Pod) { containerStatus(p).LastTerminationState.Terminated.StartedAt = atSecond(2) })),
			event("api-77-a", "Unhealthy", "Startup probe failed: dial tcp 10.0.0.2:8080: connect: connection refused", 3, 3)),
			state: readiness.Progressing, waiting: "0 of 1 pods ready; container api of pod api-77-a crashes: exit code 1"},
	})
}

func TestAssess_ContainerStarts(t *testing.T) {
	missing := waiting("CreateContainerConfigError", `configmap "api-env-1a" not found`)
	runCases(t, []testCase{
		{name: "config arriving", s: snapshot(4, pod("api-77-a", missing)), state: readiness.Progressing,
			waiting: `0 of 1 pods ready; container api of pod api-77-a can't start: configmap "api-env-1a" not found`},
		{name: "config missing", s: snapshot(5, pod("api-77-a", missing)), state: readiness.Failed, kind: fault.NotFound, hint: "part of the release",
			cause: `container api of pod api-77-a can't start: configmap "api-env-1a" not found`},
		{name: "config looked for since the image came", s: withEvents(snapshot(63, pod("api-77-a", missing)), event("api-77-a", "Failed", `Error: configmap "api-env-1a" not found`, 60, 62)),
			state: readiness.Progressing},
		{name: "config looked for, told twice", s: withEvents(snapshot(67, pod("api-77-a", missing)), event("api-77-a", "Failed", `Error: configmap "api-env-1a" not found`, 60, 62),
			event("api-77-a", "Failed", `Error: configmap "api-env-1a" not found`, 66, 66)),
			state: readiness.Failed, kind: fault.NotFound, hint: "part of the release", cause: `container api of pod api-77-a can't start: configmap "api-env-1a" not found`},
		{name: "key missing", s: snapshot(6, pod("api-77-a", waiting("CreateContainerConfigError", "couldn't find key URL in Secret mlops/db"))),
			state: readiness.Failed, kind: fault.NotFound, hint: "add the key", cause: "container api of pod api-77-a can't start: couldn't find key URL in Secret mlops/db"},
		{name: "root", s: snapshot(1, pod("api-77-a", waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"))),
			state: readiness.Failed, kind: fault.Denied, hint: "numeric USER", cause: "container api of pod api-77-a can't start: container has runAsNonRoot and image will run as root"},
		{name: "no such program", s: snapshot(1, pod("api-77-a", waiting("RunContainerError", `exec: "srv": executable file not found in $PATH: unknown`))),
			state: readiness.Failed, kind: fault.Failed, hint: "ENTRYPOINT", cause: `container api of pod api-77-a can't be started: exec: "srv": executable file not found in $PATH: unknown`},
		{name: "other processor", s: snapshot(1, pod("api-77-a", waiting("CreateContainerError", "exec /srv: exec format error"))),
			state: readiness.Failed, kind: fault.Failed, hint: "architecture", cause: "container api of pod api-77-a can't be started: exec /srv: exec format error"},
		{name: "busy runtime", s: snapshot(20, pod("api-77-a", waiting("CreateContainerError", "context deadline exceeded"))), state: readiness.Progressing},
		{name: "runtime stays busy", s: snapshot(30, pod("api-77-a", waiting("CreateContainerError", "context deadline exceeded"))),
			state: readiness.Failed, kind: fault.Failed, cause: "container api of pod api-77-a can't be started: context deadline exceeded"},
	})
}

func TestAssess_ExitCodes(t *testing.T) {
	for code, want := range map[int32]string{
		1: "exit code 1", 126: "exit code 126 (the command can't be executed)", 127: "exit code 127 (command not found)",
		132: "exit code 132 (SIGILL: illegal instruction)", 134: "exit code 134 (SIGABRT: aborted)",
		135: "exit code 135 (SIGBUS: bus error)", 136: "exit code 136 (SIGFPE: arithmetic error)", 137: "exit code 137 (SIGKILL: killed)",
		139: "exit code 139 (SIGSEGV: segmentation fault)", 143: "exit code 143 (SIGTERM: terminated)", 141: "exit code 141 (signal 13)", 255: "exit code 255",
	} {
		v := readiness.Assess(snapshot(9, pod("api-77-a", terminated(1, code, "Error", 8), waiting("CrashLoopBackOff", ""))))
		if want = "container api of pod api-77-a crashes: " + want; v.Cause != want {
			t.Errorf("Cause = %s, want %s", v.Cause, want)
		}
	}
}

// The log is requested once, even if it is empty.
func TestAssess_LogsNeeded(t *testing.T) {
	s := snapshot(3, pod("api-77-a", terminated(1, 1, "Error", 2), waiting("CrashLoopBackOff", "")))
	key := readiness.LogKey{Namespace: "mlops", Pod: "api-77-a", Container: "api", Previous: true}
	if v := readiness.Assess(s); !slices.Equal(v.LogsNeeded, []readiness.LogKey{key}) {
		t.Fatalf("LogsNeeded = %v, want %v", v.LogsNeeded, key)
	}
	v := readiness.Assess(withLogs(s, true, "one", "", "two"))
	if len(v.LogsNeeded) > 0 || !slices.Equal(v.LogTail, []string{"one", "two"}) {
		t.Errorf("LogsNeeded = %v, LogTail = %q, want none and [one two]", v.LogsNeeded, v.LogTail)
	}
	if v := readiness.Assess(withLogs(s, true)); len(v.LogsNeeded) > 0 || v.State != readiness.Failed {
		t.Errorf("with an empty log: %+v", v)
	}
}

// Messages that a pod's author controls become one short printable line.
func TestAssess_HostileMessages(t *testing.T) {
	evil := "\x1b[2Jgone\r\nnext\u202e line " + strings.Repeat("x", 1<<20)
	s := withLogs(snapshot(3, pod("api-77-a", terminated(1, 1, evil, 2), waiting("CrashLoopBackOff", evil))), true, evil)
	v := readiness.Assess(s)
	for _, said := range append(v.LogTail, v.Cause, v.Progress) {
		if strings.ContainsAny(said, "\x1b\r\n\u202e") || len(said) > 1000 || !strings.Contains(said, "[2Jgone next line xxx") {
			t.Errorf("got %q, want one short printable line", said)
		}
	}
}
