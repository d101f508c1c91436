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
	// settling is how long any service may take from its first instruction until
	// its answers are meant. Servers bind their port and know their paths within
	// it; nothing shorter can be told from a clock that counts whole seconds.
	settling = 5 * time.Second
	// slowest is where a measured time to become ready is no measurement any
	// more: the pod became ready a second time, much later.
	slowest = 10 * time.Minute
)

// probe judges a container that runs and is not ready.
func (j *judge) probe(b box) {
	run := b.status.State.Running
	if run == nil || b.status.Ready || b.init && !b.sidecar || ofJob(b.pod) {
		return
	}
	kind, probe := inForce(b)
	if probe == nil {
		return
	}
	// A pod that was ready before has a new chance: from when it was so no more.
	since := run.StartedAt.Time
	if c := condition(b.pod, corev1.PodReady); c != nil && c.LastTransitionTime.After(since) {
		since = c.LastTransitionTime.Time
	}
	age, seen, said := j.age(since), time.Duration(0), ""
	if e := j.unhealthy(b, kind); e != nil && !lastSeen(e).Before(since) {
		seen, said = lastSeen(e).Sub(since), probeSaid(e)
	}
	t := trouble{rank: probing, kind: fault.Failed, log: &LogKey{Namespace: b.pod.Namespace, Pod: b.pod.Name, Container: b.spec.Name}}
	t.cause = join(": ", fmt.Sprintf("%s is not ready after %s: its %s probe (%s) fails", b, duration(max(age, seen)), kind, asked(probe)), said)
	t.hint = "look at the service's log, and at the path and the port of the probe"
	if said == "" {
		t.cause = strings.TrimSuffix(t.cause, "fails") + "has not passed"
	}
	j.add(t, j.bound(b, kind, probe, said, seen), max(age, seen))
}

// bound is how long the container may run and not be ready, counted from its
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
func (j *judge) bound(b box, kind string, probe *corev1.Probe, said string, seen time.Duration) time.Duration {
	delay, period := seconds(probe.InitialDelaySeconds, 1), seconds(cmp.Or(probe.PeriodSeconds, 10), 1)
	if j.p.Ready > 0 {
		return j.p.Ready
	}
	if said != "" && final(said) {
		return delay + settling
	}
	if kind == "startup" {
		return forever
	}
	window := j.window(b, probe)
	switch {
	case said == "":
		return 2 * max(window, delay+period+2*time.Second)
	case seen >= window:
		return seen
	}
	return max(window, delay+period+2*time.Second)
}

// window is how long a container of that sort takes to become ready, with a
// margin. Pods that are ready already tell: three times what most of them took.
// Beside no pod there is only what the probe says: its delay and three periods,
// at least 10 s. A failureThreshold above the usual three is a wish for time on
// readiness and always honoured.
func (j *judge) window(b box, probe *corev1.Probe) time.Duration {
	delay := seconds(probe.InitialDelaySeconds, 1)
	threshold := max(3, probe.FailureThreshold)
	declared := max(10*time.Second, delay+seconds(cmp.Or(probe.PeriodSeconds, 10), threshold))
	took, ok := j.took[b.spec.Name]
	if !ok {
		return declared
	}
	quick := min(slowest, max(delay+settling, 3*took))
	if threshold > 3 {
		return max(quick, declared)
	}
	return quick
}

// measure finds what the pods that are ready took, from the start of a container
// until the pod's containers were ready, by the container's name: the median,
// because one that became ready a second time would look slow.
func (j *judge) measure() {
	all := map[string][]time.Duration{}
	add := func(p *corev1.Pod) {
		c := condition(p, corev1.ContainersReady)
		if c == nil || !ready(p) {
			return
		}
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			if s.State.Running == nil {
				continue
			}
			if d := c.LastTransitionTime.Sub(s.State.Running.StartedAt.Time); d >= 0 && d <= slowest {
				all[s.Name] = append(all[s.Name], d+time.Second) // times are whole seconds
			}
		}
	}
	for i := range j.s.OldPods {
		add(&j.s.OldPods[i])
	}
	for _, p := range j.pods {
		add(p)
	}
	j.took = map[string]time.Duration{}
	for name, times := range all {
		slices.Sort(times)
		j.took[name] = times[len(times)/2]
	}
}

// inForce is the probe that keeps a running container from being ready.
func inForce(b box) (string, *corev1.Probe) {
	if b.spec.StartupProbe != nil && (b.status.Started == nil || !*b.status.Started) {
		return "startup", b.spec.StartupProbe
	}
	return "readiness", b.spec.ReadinessProbe
}

// unhealthy is the newest report of that sort of probe about the container.
func (j *judge) unhealthy(b box, kind string) *corev1.Event {
	return j.latest(b.pod, func(e *corev1.Event) bool {
		return e.Reason == "Unhealthy" && b.names(e) && len(e.Message) > len(kind) && strings.EqualFold(e.Message[:len(kind)], kind)
	})
}

// killer names the probe that had the kubelet end this instance, and what the
// probe last said; "" if it was none. A container that crashes by itself fails its
// probes too, but not as often as it takes.
func (j *judge) killer(b box, end corev1.ContainerStateTerminated) string {
	const goodbye = time.Minute // grace that the container may have had
	for _, kind := range []string{"liveness", "startup"} {
		e := j.unhealthy(b, kind)
		if e == nil || end.FinishedAt.IsZero() || told(e) < mayFail(b, kind) {
			continue
		}
		if at := lastSeen(e); !at.Before(end.StartedAt.Time) && at.After(end.FinishedAt.Add(-goodbye)) && !at.After(end.FinishedAt.Add(time.Second)) {
			return join(": ", kind+" probe", probeSaid(e))
		}
	}
	return ""
}

// told is how often an event was told.
func told(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Count, e.Series.Count)
	}
	return max(e.Count, 1)
}

// mayFail is how often a probe fails before the kubelet ends the container; the
// kubelet stops counting events of one object aloud after a while.
func mayFail(b box, kind string) int32 {
	const loud = 20
	p := b.spec.LivenessProbe
	if kind == "startup" {
		p = b.spec.StartupProbe
	}
	if p == nil || p.FailureThreshold <= 0 {
		return 3 // the API's default
	}
	return min(p.FailureThreshold, loud)
}

// probeSaid is what stands after "Readiness probe failed: ".
func probeSaid(e *corev1.Event) string {
	_, said, _ := strings.Cut(e.Message, ": ")
	return clean(said)
}

// final tells an answer that stays the same however long one waits: the probe
// asks for what the service does not have. 408, 425 and 429 ask for time.
func final(said string) bool {
	for _, code := range []string{"400", "401", "403", "404", "405", "406", "410", "501"} {
		if strings.Contains(said, "statuscode: "+code) {
			return true
		}
	}
	return has(said, "executable file not found")
}

// asked describes a probe: "GET :8080/ready".
func asked(p *corev1.Probe) string {
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

// seconds multiplies without overflow; more than a day is a day.
func seconds(n, times int32) time.Duration {
	const day = 86400
	return time.Duration(min(day, int64(max(0, n))*int64(max(0, times)))) * time.Second
}
