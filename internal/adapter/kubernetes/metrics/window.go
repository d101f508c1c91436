package metrics

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/promtext"
	"github.com/slipway-cd/slipway/internal/port"
)

// window sums up what pods have counted since then. It is kept in memory: a window that
// another process began is counted from the first look of this one.
//
// Counters only grow while a process runs, so what one counted is the difference of two
// looks. They begin anew when it is restarted, and are gone with its pod: what they had
// counted by the last look before stays in the sum.
type window struct {
	since time.Time
	first map[counters]port.Sample // when the window began
	last  map[counters]port.Sample
	zeros map[counters]int // how often the service has set them to zero
}

// counters are those of a pod between two restarts of its containers.
type counters struct {
	pod      types.UID
	name     string
	restarts int32
	zeros    int // how often they were set to zero without a restart
}

func countersOf(pod corev1.Pod) counters {
	c := counters{pod: pod.UID, name: pod.Name}
	for _, s := range pod.Status.ContainerStatuses {
		c.restarts += s.RestartCount
	}
	return c
}

func newWindow(since time.Time, samples map[counters]port.Sample) *window {
	w := &window{since: since, first: map[counters]port.Sample{}, last: map[counters]port.Sample{}, zeros: map[counters]int{}}
	for c, s := range samples {
		w.first[c] = s
	}
	return w
}

// add takes a look at all pods into account and returns the sum.
func (w *window) add(samples map[counters]port.Sample) port.Sample {
	for c, s := range samples {
		process := c
		c.zeros = w.zeros[process]
		if last, ok := w.last[c]; ok && promtext.BeganAnew(s, last) {
			c.zeros++
			w.zeros[process] = c.zeros
		}
		w.last[c] = s
	}
	var all []port.Sample
	pods := map[types.UID]int{}
	for c, s := range w.last {
		all = append(all, promtext.Sub(s, w.first[c])) // one that came later counts from its start
		pods[c.pod]++
	}
	sum := promtext.Add(all...)
	for _, n := range pods {
		sum.Resets += n - 1
	}
	return sum
}
