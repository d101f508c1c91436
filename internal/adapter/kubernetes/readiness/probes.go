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
	// minSettleTime is how long any service may take from its first instruction until
	// its answers are meant. Servers bind their port and know their paths within
	// it; nothing shorter can be told from a clock that counts whole seconds.
	minSettleTime = 5 * time.Second
	// maxReadyTime is where a measured time to become ready is no measurement any
	// more: the pod became ready a second time, much later.
	maxReadyTime = 10 * time.Minute
)

// assessProbe judges a container that runs and is not ready.
func (a *assessor) assessProbe(b containerState) {
	run := b.status.State.Running
	if run == nil || b.status.Ready || b.init && !b.sidecar || ownedByJob(b.pod) {
		return
	}
	kind, probe := activeProbe(b)
	if probe == nil {
		return
	}
	// A pod that was ready before has a new chance: from when it was so no more.
	since := run.StartedAt.Time
	if c := condition(b.pod, corev1.PodReady); c != nil && c.LastTransitionTime.After(since) {
		since = c.LastTransitionTime.Time
	}
	age, lastFailure, message := a.elapsed(since), time.Duration(0), ""
	if e := a.lastUnhealthyEvent(b, kind); e != nil && !lastSeen(e).Before(since) {
		lastFailure, message = lastSeen(e).Sub(since), probeMessage(e)
	}
	t := problem{rank: rankProbe, kind: fault.Failed, log: &LogKey{Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name}}
	t.cause = joinNonEmpty(": ", fmt.Sprintf("%s is not ready after %s: its %s probe (%s) fails", b, formatDuration(max(age, lastFailure)), kind, describeProbe(probe)), message)
	t.hint = "look at the service's log, and at the path and the port of the probe"
	if message == "" {
		t.cause = strings.TrimSuffix(t.cause, "fails") + "has not passed"
	}
	a.addProblem(t, a.readyTimeout(b, kind, probe, message, lastFailure), max(age, lastFailure))
}

// readyTimeout is how long the container may run and not be ready, counted from its
// start. seen is the age at which the probe was last reported to fail: both
// ends of it were written by the node's clock.
//
// Patience.Ready decides if it is set. An answer that no waiting changes (404)
// is believed once the service has settled. A startup probe is a wish of the
// user's for time, and the kubelet itself ends it. Otherwise it is the time of
// window; but as the kubelet probes once per period (10 s by default), and the
// first time right at the start, the window must have a second probe in it,
// seen to fail at its end or with two seconds for it to be reported. Without
// any report the probe may just be slow to tell, so twice as long.
func (a *assessor) readyTimeout(b containerState, kind string, probe *corev1.Probe, message string, lastFailure time.Duration) time.Duration {
	delay, period := probeSeconds(probe.InitialDelaySeconds, 1), probeSeconds(cmp.Or(probe.PeriodSeconds, 10), 1)
	if a.timeouts.Ready > 0 {
		return a.timeouts.Ready
	}
	if message != "" && isPermanentProbeFailure(message) {
		return delay + minSettleTime
	}
	if kind == "startup" {
		return noTimeout
	}
	window := a.readyWindow(b, probe)
	switch {
	case message == "":
		return 2 * max(window, delay+period+2*time.Second)
	case lastFailure >= window:
		return lastFailure
	}
	return max(window, delay+period+2*time.Second)
}

// readyWindow is how long a container of that sort takes to become ready, with a
// margin. Pods that are ready already tell: three times what most of them took.
// Beside no pod there is only what the probe says: its delay and three periods,
// at least 10 s. A failureThreshold above the usual three is a wish for time on
// readiness and always honoured.
func (a *assessor) readyWindow(b containerState, probe *corev1.Probe) time.Duration {
	delay := probeSeconds(probe.InitialDelaySeconds, 1)
	threshold := max(3, probe.FailureThreshold)
	declared := max(10*time.Second, delay+probeSeconds(cmp.Or(probe.PeriodSeconds, 10), threshold))
	median, measured := a.readyTimes[b.spec.Name]
	if !measured {
		return declared
	}
	window := min(maxReadyTime, max(delay+minSettleTime, 3*median))
	if threshold > 3 {
		return max(window, declared)
	}
	return window
}

// measureReadyTimes finds what the pods that are ready took, from the start of a container
// until the pod's containers were ready, by the container's name: the median,
// because one that became ready a second time would look slow.
func (a *assessor) measureReadyTimes() {
	durations := map[string][]time.Duration{}
	add := func(p *corev1.Pod) {
		c := condition(p, corev1.ContainersReady)
		if c == nil || !podReady(p) {
			return
		}
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			if s.State.Running == nil {
				continue
			}
			if d := c.LastTransitionTime.Sub(s.State.Running.StartedAt.Time); d >= 0 && d <= maxReadyTime {
				durations[s.Name] = append(durations[s.Name], d+time.Second) // times are whole seconds
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

// activeProbe is the probe that keeps a running container from being ready.
func activeProbe(b containerState) (string, *corev1.Probe) {
	if b.spec.StartupProbe != nil && (b.status.Started == nil || !*b.status.Started) {
		return "startup", b.spec.StartupProbe
	}
	return "readiness", b.spec.ReadinessProbe
}

// lastUnhealthyEvent is the newest report of that sort of probe about the container.
func (a *assessor) lastUnhealthyEvent(b containerState, kind string) *corev1.Event {
	return a.latest(b.pod, func(e *corev1.Event) bool {
		return e.Reason == "Unhealthy" && b.matchesEvent(e) && len(e.Message) > len(kind) && strings.EqualFold(e.Message[:len(kind)], kind)
	})
}

// killingProbe names the probe that had the kubelet end this instance, and what the
// probe last said; "" if it was none. A container that crashes by itself fails its
// probes too, but not as often as it takes.
func (a *assessor) killingProbe(b containerState, end corev1.ContainerStateTerminated) string {
	const goodbye = time.Minute // grace that the container may have had
	for _, kind := range []string{"liveness", "startup"} {
		e := a.lastUnhealthyEvent(b, kind)
		if e == nil || end.FinishedAt.IsZero() || eventCount(e) < failureThreshold(b, kind) {
			continue
		}
		if lastSeenAt := lastSeen(e); !lastSeenAt.Before(end.StartedAt.Time) && lastSeenAt.After(end.FinishedAt.Add(-goodbye)) && !lastSeenAt.After(end.FinishedAt.Add(time.Second)) {
			return joinNonEmpty(": ", kind+" probe", probeMessage(e))
		}
	}
	return ""
}

// eventCount is how often an event was told.
func eventCount(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Count, e.Series.Count)
	}
	return max(e.Count, 1)
}

// failureThreshold is how often a probe fails before the kubelet ends the container; the
// kubelet stops counting events of one object aloud after a while.
func failureThreshold(b containerState, kind string) int32 {
	const maxCounted = 20
	p := b.spec.LivenessProbe
	if kind == "startup" {
		p = b.spec.StartupProbe
	}
	if p == nil || p.FailureThreshold <= 0 {
		return 3 // the API's default
	}
	return min(p.FailureThreshold, maxCounted)
}

// probeMessage is what stands after "Readiness probe failed: ".
func probeMessage(e *corev1.Event) string {
	_, said, _ := strings.Cut(e.Message, ": ")
	return clean(said)
}

// isPermanentProbeFailure tells an answer that stays the same however long one waits: the probe
// asks for what the service does not have. 408, 425 and 429 ask for time.
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
	return "of no known sort"
}

// probeSeconds multiplies without overflow; more than a day is a day.
func probeSeconds(n, times int32) time.Duration {
	const day = 86400
	return time.Duration(min(day, int64(max(0, n))*int64(max(0, times)))) * time.Second
}
