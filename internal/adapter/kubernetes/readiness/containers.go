package readiness

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// container looks for trouble of one container of a pod that is not ready.
func (j *judge) container(b box) {
	w := b.status.State.Waiting
	if w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed", "ImageInspectError":
			j.pull(b)
			return
		case "CreateContainerConfigError":
			j.unconfigured(b)
			return
		case "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError":
			j.refused(b)
			return
		}
	}
	j.crash(b)
	j.probe(b)
}

// unconfigured: an object that the container refers to is not there, and may be
// on its way; a rule about users is no matter of time.
func (j *judge) unconfigured(b box) {
	said := b.status.State.Waiting.Message
	t := trouble{rank: configuring, kind: fault.NotFound, cause: fmt.Sprintf("%s can't start: %s", b, clean(said))}
	patience := j.p.Config
	switch {
	case has(said, "runasnonroot"):
		t.kind, patience = fault.Denied, 0
		t.hint = "build the image with a numeric USER other than 0, or set securityContext.runAsUser"
	case has(said, "couldn't find key"):
		t.hint = "add the key to the object, or correct the name in env or envFrom"
	case has(said, "not found"):
		t.hint = "make it part of the release, create it in the namespace, or correct its name"
	default:
		t.kind, patience = fault.Failed, j.p.Start
	}
	j.add(t, patience, j.age(j.first(b, "Error: ")))
}

// refused: the container runtime could not create or start it. What it says
// about the image's own command never changes; the rest may be a busy node.
func (j *judge) refused(b box) {
	said := b.status.State.Waiting.Message
	if said == "" && b.status.LastTerminationState.Terminated != nil {
		said = b.status.LastTerminationState.Terminated.Message
	}
	t := trouble{rank: crashing, kind: fault.Failed}
	t.cause = join(": ", fmt.Sprintf("%s can't be started", b), clean(said))
	patience := j.p.Start
	if hint := unstartable(said); hint != "" {
		t.hint, patience = hint, 0
	}
	j.add(t, patience, j.age(j.first(b, "Error: ")))
}

// unstartable is what to do about a command that can never start, or "".
func unstartable(said string) string {
	switch {
	case has(said, "exec format error"):
		return "the image is built for another processor: build it for that of the nodes"
	case has(said, "executable file not found", "no such file or directory", "no command specified"):
		return "look at command and args of the container, and at ENTRYPOINT of the image"
	case has(said, "permission denied"):
		return "the file is not executable for the container's user: look at its mode and at securityContext"
	}
	return ""
}

// crashed is how the last instance of a container that ended did end.
type crashed struct {
	end      corev1.ContainerStateTerminated
	times    int  // instances that ended, as far as the cluster counted
	previous bool // a newer instance has the container's current log
}

func (b box) crashed() (crashed, bool) {
	st, restarts := b.status, int(max(0, b.status.RestartCount))
	var c crashed
	switch {
	case st.State.Terminated != nil:
		c = crashed{end: *st.State.Terminated, times: restarts + 1}
	case st.LastTerminationState.Terminated != nil:
		c = crashed{end: *st.LastTerminationState.Terminated, times: max(1, restarts), previous: true}
	}
	if w := st.State.Waiting; w != nil && w.Reason == "CrashLoopBackOff" {
		// The cluster itself calls it a loop.
		c.times, c.previous = max(2, restarts+1), c.previous || st.LastTerminationState.Terminated != nil
		return c, true
	}
	done := b.init && !b.sidecar || ofJob(b.pod)
	return c, c.times > 0 && (!done || c.end.ExitCode != 0)
}

// crash judges a container that ended. One crash can heal: it came up before
// its database. The second one, a second or two later, is a loop, and the
// cluster's back-off only makes it slower. If another pod of the same workload
// is ready, then the release can run, and two more are let pass.
func (j *judge) crash(b box) {
	c, ok := b.crashed()
	if !ok || b.status.State.Running != nil && b.status.Ready || j.stale(c) {
		return
	}
	t := trouble{rank: crashing, kind: fault.Failed, log: &LogKey{
		Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name, Previous: c.previous,
	}}
	most := j.p.MaxCrashes
	switch killer := j.killer(b, c.end); {
	case c.end.Reason == "OOMKilled":
		// The same model in the same memory ends the same way.
		most = 1
		t.kind, t.log = fault.Exhausted, nil
		t.cause, t.hint = outOfMemory(b, c.end)
	case killer != "":
		t.cause = fmt.Sprintf("%s is killed by its %s", b, killer)
		t.hint = "look at the path, the port and the time that the probe allows, or at why the service does not answer"
		if has(killer, "startup") {
			most = 1 // it had all the time that its startup probe allows
		}
	default:
		t.cause, t.hint = j.explain(b, c, *t.log)
		t.hint = cmp.Or(t.hint, "look at its log, and at the configuration and the model that it got")
		if c.end.ExitCode == 126 || c.end.ExitCode == 127 || unstartable(c.end.Message) != "" {
			most = 1
		}
	}
	if j.got[j.workload(b.pod)] > 0 {
		most += 2
	}
	patience := forever
	if c.times >= most && !ofJob(b.pod) {
		patience = 0
	}
	j.add(t, patience, 0)
}

// stale: a container may carry the end of an instance from long before this
// phase, when the same release is deployed once more.
func (j *judge) stale(c crashed) bool {
	const clocks = time.Minute
	at := c.end.FinishedAt.Time
	return c.previous && !at.IsZero() && !j.s.PhaseStart.IsZero() && at.Before(j.s.PhaseStart.Add(-clocks))
}

// explain is the cause and the hint for a container that ended by itself.
func (j *judge) explain(b box, c crashed, key LogKey) (cause, hint string) {
	said := telling(j.s.Logs[key])
	if said == "" {
		said = clean(c.end.Message)
	}
	reason := c.end.Reason
	if reason == "Error" || reason == "Completed" {
		reason = ""
	}
	verb := "crashes"
	if c.end.ExitCode == 0 && c.end.Signal == 0 {
		verb, hint = "ends", "a service has to keep running: look at command and args"
	}
	how := exit(c.end)
	if c.end == (corev1.ContainerStateTerminated{}) {
		verb, hint, how = "crashes", "", "again and again"
	}
	switch code := c.end.ExitCode; {
	case code >= 126 && code <= 128:
		hint = cmp.Or(unstartable(said), "look at command and args of the container, and at ENTRYPOINT of the image")
	case code == 132:
		hint = "the image may be built for another processor than that of the node"
	}
	return join(": ", fmt.Sprintf("%s %s", b, verb), how, clean(reason), said), hint
}

func outOfMemory(b box, end corev1.ContainerStateTerminated) (cause, hint string) {
	limit, ok := b.spec.Resources.Limits[corev1.ResourceMemory]
	if !ok {
		return fmt.Sprintf("%s was killed because its node ran out of memory (exit code %d, OOMKilled)", b, end.ExitCode),
			"set resources.requests.memory to what the service needs, so that it gets a node with room"
	}
	return fmt.Sprintf("%s needs more than its memory limit of %s (exit code %d, OOMKilled)", b, amount(corev1.ResourceMemory, limit), end.ExitCode),
		fmt.Sprintf("raise resources.limits.memory of container %s, or use a smaller model", clean(b.spec.Name))
}
