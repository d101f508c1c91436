package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

const (
	// minSettleTime is how long any service may take from its start until its
	// responses are taken seriously. Servers bind their port and register their paths
	// within it; a shorter time cannot be measured with timestamps in whole seconds.
	minSettleTime = 5 * time.Second
	// minAnswerTime is the same for a service whose probe gets an answer: it has bound
	// its port, and is not ready where other pods were ready by now.
	minAnswerTime = 3 * time.Second
	// maxReadyTime bounds the measured time to become ready: above it, the pod became
	// ready a second time, much later.
	maxReadyTime = 10 * time.Minute
)

// assessProbe assesses a container that is running and not ready.
func (a *assessor) assessProbe(b containerState) {
	run := b.status.State.Running
	if run == nil || b.status.Ready || b.init && !b.sidecar || ownedByJob(b.pod) {
		return
	}
	kind, probe := activeProbe(b)
	if probe == nil {
		return
	}
	// Readiness is probed once the startup probe has passed. A pod that was ready before
	// starts over when it stops being ready.
	since := run.StartedAt.Time
	if passed := a.startupPassed(b); kind == "readiness" && passed.After(since) {
		since = passed
	}
	if c := condition(b.pod, corev1.PodReady); c != nil && c.LastTransitionTime.After(since) {
		since = c.LastTransitionTime.Time
	}
	age, lastFailure, message := a.elapsed(since), time.Duration(0), ""
	if e := a.lastUnhealthyEvent(b, kind); e != nil && !lastSeen(e).Before(since) {
		lastFailure, message = lastSeen(e).Sub(since), probeMessage(e)
	}
	t := problem{rank: rankProbe, kind: fault.Failed, log: &LogKey{Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name}}
	t.cause = joinNonEmpty(": ", fmt.Sprintf("%s is not ready after %s: its %s probe (%s) fails", b, formatDuration(max(age, lastFailure)), kind, describeProbe(probe)), message)
	t.hint = probeHint(b, message)
	if message == "" {
		t.cause = strings.TrimSuffix(t.cause, "fails") + "has not passed"
	}
	a.addProblem(t, a.readyTimeout(b, kind, probe, message, lastFailure), max(age, lastFailure))
}

// probeHint returns what to do about a probe that fails. Only manifests that Slipway
// generates set PORT: in a user's own, a service that reads it may listen elsewhere.
func probeHint(b containerState, message string) string {
	setsPort := len(b.spec.EnvFrom) > 0 || slices.ContainsFunc(b.spec.Env, func(e corev1.EnvVar) bool { return e.Name == "PORT" })
	if !setsPort && containsAny(message, "connection refused") {
		return "nothing listens there: check the service's log and the path and port of the probe; if the service reads PORT, set it in the container's env"
	}
	return "check the service's log, and the path and port of the probe"
}

// readyTimeout returns how long the container may run without being ready, counted
// from its start, or from when its startup probe passed. lastFailure is the age at
// which the probe was last reported to fail, both ends by the node's clock.
//
// A startup probe is the user's own time limit, which the kubelet enforces: a server
// may respond with 404 until its model is loaded. For readiness, Timeouts.Ready takes
// precedence. A permanent failure (404) is believed once the service has settled.
// Otherwise the limit is readyWindow; but as the kubelet probes
// once per period (10 s by default), and first right after the start, it must include
// a second probe, reported to fail at its end or with two seconds for the report.
// Without any report, the probe may just be slow, so the limit doubles.
func (a *assessor) readyTimeout(b containerState, kind string, probe *corev1.Probe, message string, lastFailure time.Duration) time.Duration {
	delay, period := probeSeconds(probe.InitialDelaySeconds, 1), probeSeconds(cmp.Or(probe.PeriodSeconds, 10), 1)
	if kind == "startup" {
		return noTimeout
	}
	if a.timeouts.Ready > 0 {
		return a.timeouts.Ready
	}
	if message != "" && isPermanentProbeFailure(message) {
		return delay + minSettleTime
	}
	window := a.readyWindow(b, probe, message)
	switch {
	case message == "":
		return 2 * max(window, delay+period+2*time.Second)
	case lastFailure >= window:
		return lastFailure
	case lastFailure >= delay+period: // the second probe has been reported
		return window
	}
	return max(window, delay+period+2*time.Second)
}

// readyWindow returns how long such a container takes to become ready, with a margin:
// three times the median of the pods that are ready. Without any, the probe's
// settings are used: its delay and three periods, at least 10 s. A failureThreshold
// above the default of three asks for time explicitly and is always honored.
func (a *assessor) readyWindow(b containerState, probe *corev1.Probe, message string) time.Duration {
	delay := probeSeconds(probe.InitialDelaySeconds, 1)
	threshold := max(3, probe.FailureThreshold)
	declared := max(10*time.Second, delay+probeSeconds(cmp.Or(probe.PeriodSeconds, 10), threshold))
	median, measured := a.readyTimes[b.spec.Name]
	if !measured {
		return declared
	}
	settle := minSettleTime
	if strings.Contains(message, "statuscode: ") {
		settle = minAnswerTime
	}
	window := min(maxReadyTime, max(delay+settle, 3*median))
	if threshold > 3 {
		return max(window, declared)
	}
	return window
}

// measureReadyTimes measures, by container name, the time from the start of a
// container until the pod's containers were ready: the median, as a pod that became
// ready a second time would look slow.
func (a *assessor) measureReadyTimes() {
	durations := map[string][]time.Duration{}
	add := func(p *corev1.Pod) {
		c := condition(p, corev1.ContainersReady)
		if c == nil || !PodReady(p) {
			return
		}
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			if s.State.Running == nil {
				continue
			}
			if d := c.LastTransitionTime.Sub(s.State.Running.StartedAt.Time); d >= 0 && d <= maxReadyTime {
				durations[s.Name] = append(durations[s.Name], d+time.Second) // timestamps are in whole seconds
			}
		}
	}
	for i := range a.snapshot.OldPods {
		add(&a.snapshot.OldPods[i])
	}
	for _, p := range a.pods {
		add(p)
	}
	a.readyTimes = map[string]time.Duration{}
	for name, times := range durations {
		slices.Sort(times)
		a.readyTimes[name] = times[len(times)/2]
	}
}

// startupPassed returns when the container passed its startup probe, or zero if it has
// none. Without an observation it is the last failure of the probe.
func (a *assessor) startupPassed(b containerState) time.Time {
	if b.spec.StartupProbe == nil {
		return time.Time{}
	}
	if at, ok := a.snapshot.Startups[b.instance()]; ok {
		return at
	}
	if e := a.lastUnhealthyEvent(b, "startup"); e != nil {
		return lastSeen(e)
	}
	return time.Time{}
}

// activeProbe returns the probe that keeps a running container from being ready.
func activeProbe(b containerState) (string, *corev1.Probe) {
	if b.spec.StartupProbe != nil && (b.status.Started == nil || !*b.status.Started) {
		return "startup", b.spec.StartupProbe
	}
	return "readiness", b.spec.ReadinessProbe
}

// lastUnhealthyEvent returns the newest failure of that kind of probe of the
// container.
func (a *assessor) lastUnhealthyEvent(b containerState, kind string) *corev1.Event {
	return a.latest(b.pod, func(e *corev1.Event) bool {
		return e.Reason == "Unhealthy" && b.matchesEvent(e) && len(e.Message) > len(kind) && strings.EqualFold(e.Message[:len(kind)], kind)
	})
}

// killingProbe returns the probe that made the kubelet kill this instance, with its
// last message, or "". A container that crashes by itself fails its probes too, but
// less often than the threshold.
func (a *assessor) killingProbe(b containerState, end corev1.ContainerStateTerminated) string {
	const maxGrace = time.Minute // the container's grace period
	for _, kind := range []string{"liveness", "startup"} {
		e := a.lastUnhealthyEvent(b, kind)
		if e == nil || end.FinishedAt.IsZero() || eventCount(e) < failureThreshold(b, kind) {
			continue
		}
		if lastSeenAt := lastSeen(e); !lastSeenAt.Before(end.StartedAt.Time) && lastSeenAt.After(end.FinishedAt.Add(-maxGrace)) && !lastSeenAt.After(end.FinishedAt.Add(time.Second)) {
			return joinNonEmpty(": ", kind+" probe", probeMessage(e))
		}
	}
	return ""
}

// eventCount returns how often an event occurred.
func eventCount(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Count, e.Series.Count)
	}
	return max(e.Count, 1)
}

// failureThreshold returns how often a probe fails before the kubelet kills the
// container, at most as many as it counts: beyond that it aggregates events silently.
func failureThreshold(b containerState, kind string) int32 {
	const maxCounted = 20
	p := b.spec.LivenessProbe
	if kind == "startup" {
		p = b.spec.StartupProbe
	}
	if p == nil || p.FailureThreshold <= 0 {
		return 3 // the API default
	}
	return min(p.FailureThreshold, maxCounted)
}

// probeMessage returns what follows "Readiness probe failed: ".
func probeMessage(e *corev1.Event) string {
	_, said, _ := strings.Cut(e.Message, ": ")
	return clean(said)
}

// isPermanentProbeFailure reports whether the response stays the same however long
// one waits: the service lacks what the probe requests. 408, 425 and 429 are
// transient.
func isPermanentProbeFailure(message string) bool {
	for _, code := range []string{"400", "401", "403", "404", "405", "406", "410", "501"} {
		if strings.Contains(message, "statuscode: "+code) {
			return true
		}
	}
	return containsAny(message, "executable file not found")
}

// describeProbe describes a probe: "GET :8080/ready".
func describeProbe(p *corev1.Probe) string {
	switch {
	case p.HTTPGet != nil:
		return clean("GET :" + p.HTTPGet.Port.String() + p.HTTPGet.Path)
	case p.TCPSocket != nil:
		return clean("TCP :" + p.TCPSocket.Port.String())
	case p.GRPC != nil:
		return fmt.Sprintf("gRPC :%d", p.GRPC.Port)
	case p.Exec != nil:
		return clean("command " + strings.Join(p.Exec.Command, " "))
	}
	return "of unknown type"
}

// probeSeconds multiplies without overflow, and caps the result at a day.
func probeSeconds(n, times int32) time.Duration {
	const day = 86400
	return time.Duration(min(day, int64(max(0, n))*int64(max(0, times)))) * time.Second
}

// StartupBudget returns how long the startup probes of a pod allow it to take, or zero
// without one.
func StartupBudget(spec corev1.PodSpec) time.Duration {
	var budget time.Duration
	for _, c := range spec.Containers {
		if p := c.StartupProbe; p != nil {
			period, failures := cmp.Or(p.PeriodSeconds, 10), cmp.Or(p.FailureThreshold, 3)
			budget = max(budget, probeSeconds(p.InitialDelaySeconds, 1)+probeSeconds(period, failures))
		}
	}
	return budget
}
