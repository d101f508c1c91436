package readiness

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// assessContainer looks for trouble of one container of a pod that is not ready.
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
	a.assessProbe(b)
}

// assessConfigError: an object that the container refers to is not there, and may be
// on its way; a rule about users is no matter of time.
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
		t.hint = "make it part of the release, create it in the namespace, or correct its name"
	default:
		t.kind, patience = fault.Failed, a.timeouts.Start
	}
	a.addProblem(t, patience, a.elapsed(a.firstFailure(b, "Error: ")))
}

// assessCreateError: the container runtime could not create or start it. What it says
// about the image's own command never changes; the rest may be a busy node.
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

// startHint is what to do about a command that can never start, or "".
func startHint(message string) string {
	switch {
	case containsAny(message, "exec format error"):
		return "the image is built for another processor: build it for that of the nodes"
	case containsAny(message, "executable file not found", "no such file or directory", "no command specified"):
		return "look at command and args of the container, and at ENTRYPOINT of the image"
	case containsAny(message, "permission denied"):
		return "the file is not executable for the container's user: look at its mode and at securityContext"
	}
	return ""
}

// crashInfo is how the last instance of a container that ended did end.
type crashInfo struct {
	state    corev1.ContainerStateTerminated
	count    int  // instances that ended, as far as the cluster counted
	previous bool // a newer instance has the container's current log
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
		// The cluster itself calls it a loop.
		c.count, c.previous = max(2, restarts+1), c.previous || st.LastTerminationState.Terminated != nil
		return c, true
	}
	done := b.init && !b.sidecar || ownedByJob(b.pod)
	return c, c.count > 0 && (!done || c.state.ExitCode != 0)
}

// assessCrash judges a container that ended. One crash can heal: it came up before
// its database. The second one, a second or two later, is a loop, and the
// cluster's back-off only makes it slower. If another pod of the same workload
// is ready, then the release can run, and two more are let pass.
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
		// The same model in the same memory ends the same way.
		limit = 1
		t.kind, t.log = fault.Exhausted, nil
		t.cause, t.hint = describeOOM(b, c.state)
	case killer != "":
		t.cause = fmt.Sprintf("%s is killed by its %s", b, killer)
		t.hint = "look at the path, the port and the time that the probe allows, or at why the service does not answer"
		if containsAny(killer, "startup") {
			limit = 1 // it had all the time that its startup probe allows
		}
	default:
		t.cause, t.hint = a.explainExit(b, c, *t.log)
		t.hint = cmp.Or(t.hint, "look at its log, and at the configuration and the model that it got")
		if c.state.ExitCode == 126 || c.state.ExitCode == 127 || startHint(c.state.Message) != "" {
			limit = 1
		}
	}
	if a.readyPods[a.workload(b.pod)] > 0 {
		limit += 2
	}
	patience := noTimeout
	if c.count >= limit && !ownedByJob(b.pod) {
		patience = 0
	}
	a.addProblem(t, patience, 0)
}

// isStale: a container may carry the end of an instance from long before this
// phase, when the same release is deployed once more.
func (a *assessor) isStale(c crashInfo) bool {
	const clockSkew = time.Minute
	at := c.state.FinishedAt.Time
	return c.previous && !at.IsZero() && !a.snapshot.PhaseStart.IsZero() && at.Before(a.snapshot.PhaseStart.Add(-clockSkew))
}

// explainExit is the cause and the hint for a container that ended by itself.
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
		verb, hint = "ends", "a service has to keep running: look at command and args"
	}
	exit := formatExit(c.state)
	if c.state == (corev1.ContainerStateTerminated{}) {
		verb, hint, exit = "crashes", "", "again and again"
	}
	switch code := c.state.ExitCode; {
	case code >= 126 && code <= 128:
		hint = cmp.Or(startHint(message), "look at command and args of the container, and at ENTRYPOINT of the image")
	case code == 132:
		hint = "the image may be built for another processor than that of the node"
	}
	return joinNonEmpty(": ", fmt.Sprintf("%s %s", b, verb), exit, clean(reason), message), hint
}

func describeOOM(b containerState, end corev1.ContainerStateTerminated) (cause, hint string) {
	limit, ok := b.spec.Resources.Limits[corev1.ResourceMemory]
	if !ok {
		return fmt.Sprintf("%s was killed because its node ran out of memory (exit code %d, OOMKilled)", b, end.ExitCode),
			"set resources.requests.memory to what the service needs, so that it gets a node with room"
	}
	return fmt.Sprintf("%s needs more than its memory limit of %s (exit code %d, OOMKilled)", b, formatQuantity(corev1.ResourceMemory, limit), end.ExitCode),
		fmt.Sprintf("raise resources.limits.memory of container %s, or use a smaller model", clean(b.spec.Name))
}
