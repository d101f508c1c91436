package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessContainer looks for problems of one container of a pod that is not ready.
func (a *assessor) assessContainer(b containerState) {
	w := b.status.State.Waiting
	if w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed", "ImageInspectError":
			a.assessImagePull(b)
			return
		case "CreateContainerConfigError":
			a.assessConfigError(b)
			return
		case "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError":
			a.assessCreateError(b)
			return
		}
	}
	a.assessCrash(b)
	a.assessInitContainer(b)
	a.assessProbe(b)
}

// assessConfigError: a referenced object is missing and may still be created. A
// violation of security rules is permanent.
func (a *assessor) assessConfigError(b containerState) {
	message := b.status.State.Waiting.Message
	t := problem{rank: rankConfig, kind: fault.NotFound, cause: fmt.Sprintf("%s can't start: %s", b, clean(message))}
	patience := a.timeouts.Config
	switch {
	case containsAny(message, "runasnonroot"):
		t.kind, patience = fault.Denied, 0
		t.hint = "build the image with a numeric USER other than 0, or set securityContext.runAsUser"
	case containsAny(message, "couldn't find key"):
		t.hint = "add the key to the object, or correct the name in env or envFrom"
	case containsAny(message, "not found"):
		t.infrastructure = true
		t.hint = "make it part of the release, create it in the namespace, or correct its name"
	default:
		t.kind, patience = fault.Failed, a.timeouts.Start
	}
	a.addProblem(t, patience, a.elapsed(a.firstFailure(b, "Error: ")))
}

// assessCreateError: the container runtime could not create or start the container.
// Errors about the image's own command are permanent; others may be due to a busy
// node.
func (a *assessor) assessCreateError(b containerState) {
	message := b.status.State.Waiting.Message
	if message == "" && b.status.LastTerminationState.Terminated != nil {
		message = b.status.LastTerminationState.Terminated.Message
	}
	t := problem{rank: rankCrash, kind: fault.Failed}
	t.cause = joinNonEmpty(": ", fmt.Sprintf("%s can't be started", b), clean(message))
	patience := a.timeouts.Start
	if hint := startHint(message); hint != "" {
		t.hint, patience = hint, 0
	}
	a.addProblem(t, patience, a.elapsed(a.firstFailure(b, "Error: ")))
}

// startHint returns a hint for a command that can never start, or "".
func startHint(message string) string {
	switch {
	case containsAny(message, "exec format error"):
		return "the image is built for another architecture: build it for the nodes' architecture"
	case containsAny(message, "executable file not found", "no such file or directory", "no command specified"):
		return "check command and args of the container, and ENTRYPOINT of the image"
	case containsAny(message, "permission denied"):
		return "the file is not executable for the container's user: check its mode and securityContext"
	}
	return ""
}

// crashInfo describes how the last terminated instance of a container ended.
type crashInfo struct {
	state    corev1.ContainerStateTerminated
	count    int  // terminated instances, as counted by the cluster
	previous bool // whether its log is the previous one
}

func (b containerState) crash() (crashInfo, bool) {
	st, restarts := b.status, int(max(0, b.status.RestartCount))
	var c crashInfo
	switch {
	case st.State.Terminated != nil:
		c = crashInfo{state: *st.State.Terminated, count: restarts + 1}
	case st.LastTerminationState.Terminated != nil:
		c = crashInfo{state: *st.LastTerminationState.Terminated, count: max(1, restarts), previous: true}
	}
	if w := st.State.Waiting; w != nil && w.Reason == "CrashLoopBackOff" {
		// The cluster itself has found a crash loop.
		c.count, c.previous = max(2, restarts+1), c.previous || st.LastTerminationState.Terminated != nil
		return c, true
	}
	done := b.init && !b.sidecar || ownedByJob(b.pod)
	return c, c.count > 0 && (!done || c.state.ExitCode != 0)
}

// assessCrash assesses a container that terminated. One crash may be transient: the
// container started before its database. A second one soon after is a crash loop,
// which the back-off only slows down. So is one crash each of as many pods, where those
// of an earlier release are ready: what all of them need is there. If another pod of
// the workload is ready, the release can run, and two more crashes are tolerated.
func (a *assessor) assessCrash(b containerState) {
	c, ok := b.crash()
	if !ok || b.status.State.Running != nil && b.status.Ready || a.isStale(c) {
		return
	}
	t := problem{rank: rankCrash, kind: fault.Failed, log: &LogKey{
		Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name, Previous: c.previous,
	}}
	limit := a.timeouts.MaxCrashes
	switch killer := a.killingProbe(b, c.state); {
	case c.state.Reason == "OOMKilled":
		// The same model exceeds the same memory again.
		limit = 1
		t.kind, t.log = fault.Exhausted, nil
		t.cause, t.hint = describeOOM(b, c.state)
	case killer != "":
		t.cause = fmt.Sprintf("%s is killed by its %s", b, killer)
		t.hint = "check the probe's path, port and timeouts, and why the service does not respond"
		if containsAny(killer, "startup") {
			limit = 1 // it used up the time that its startup probe allows
		}
	default:
		t.cause, t.hint = a.explainExit(b, c, *t.log)
		t.hint = cmp.Or(t.hint, "check its log, its configuration and its model")
		if c.state.ExitCode == 126 || c.state.ExitCode == 127 || startHint(c.state.Message) != "" {
			limit = 1
		}
	}
	count := c.count
	if a.readyPods[a.workload(b.pod)] > 0 {
		limit += 2
	} else {
		count = max(count, a.crashedAlike(b, c))
	}
	patience := noTimeout
	if count >= limit && !ownedByJob(b.pod) {
		patience = 0
	}
	a.addProblem(t, patience, 0)
}

// crashedAlike counts the pods of a container's workload in which it ended with the same
// exit code, if a pod of an earlier release with that container is ready.
func (a *assessor) crashedAlike(b containerState, c crashInfo) (n int) {
	named := func(c corev1.Container) bool { return c.Name == b.spec.Name }
	if !slices.ContainsFunc(a.snapshot.OldPods, func(p corev1.Pod) bool { return PodReady(&p) && slices.ContainsFunc(p.Spec.Containers, named) }) {
		return 0
	}
	for _, pod := range a.pods {
		if a.workload(pod) != a.workload(b.pod) {
			continue
		}
		for _, other := range containerStates(pod) {
			end, ok := other.crash()
			if ok && other.spec.Name == b.spec.Name && end.state.ExitCode == c.state.ExitCode && !a.isStale(end) {
				n++
			}
		}
	}
	return n
}

// isStale reports whether the termination predates this phase, as when the same
// release is deployed again.
func (a *assessor) isStale(c crashInfo) bool {
	const clockSkew = time.Minute
	at := c.state.FinishedAt.Time
	return c.previous && !at.IsZero() && !a.snapshot.PhaseStart.IsZero() && at.Before(a.snapshot.PhaseStart.Add(-clockSkew))
}

// explainExit returns the cause and the hint for a container that exited by itself.
func (a *assessor) explainExit(b containerState, c crashInfo, key LogKey) (cause, hint string) {
	message := errorLine(a.snapshot.Logs[key])
	if message == "" {
		message = clean(c.state.Message)
	}
	reason := c.state.Reason
	if reason == "Error" || reason == "Completed" {
		reason = ""
	}
	verb := "crashes"
	if c.state.ExitCode == 0 && c.state.Signal == 0 {
		verb, hint = "ends", "a service must keep running: check command and args"
	}
	exit := formatExit(c.state)
	if c.state == (corev1.ContainerStateTerminated{}) {
		verb, hint, exit = "crashes", "", "repeatedly"
	}
	switch code := c.state.ExitCode; {
	case code >= 126 && code <= 128:
		hint = cmp.Or(startHint(message), "check command and args of the container, and ENTRYPOINT of the image")
	case code == 132:
		hint = "the image may be built for another architecture than the node's"
	}
	return joinNonEmpty(": ", fmt.Sprintf("%s %s", b, verb), exit, clean(reason), message), hint
}

func describeOOM(b containerState, end corev1.ContainerStateTerminated) (cause, hint string) {
	limit, ok := b.spec.Resources.Limits[corev1.ResourceMemory]
	if !ok {
		return fmt.Sprintf("%s was killed because its node ran out of memory (exit code %d, OOMKilled)", b, end.ExitCode),
			"set resources.requests.memory to what the service needs, so that it is scheduled on a node with enough memory"
	}
	return fmt.Sprintf("%s needs more than its memory limit of %s (exit code %d, OOMKilled)", b, formatQuantity(corev1.ResourceMemory, limit), end.ExitCode),
		fmt.Sprintf("raise resources.limits.memory of container %s, or use a smaller model", clean(b.spec.Name))
}
