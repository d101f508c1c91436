package readiness

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/slipway-cd/slipway/internal/fault"
)

// short finds what there is not enough of in the scheduler's message.
var short = regexp.MustCompile(`Insufficient ([A-Za-z0-9][A-Za-z0-9./_-]*)`)

// unscheduled judges a pod that no node would take, and tells whether it is one.
func (j *judge) unscheduled(p *corev1.Pod) bool {
	c := condition(p, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return false
	}
	if c.Reason != corev1.PodReasonUnschedulable {
		return true
	}
	t := trouble{rank: scheduling, kind: fault.Exhausted}
	said, preemption, _ := strings.Cut(c.Message, " preemption:")
	coming, refused := j.scaling(p)
	patience := j.p.Schedule
	if coming {
		patience = j.p.ScaleUp
	}
	if name, need, most, never := j.tooBig(p, said); never {
		t.cause = fmt.Sprintf("%s can't be scheduled: it asks for %s, and the biggest node has %s", podName(p), quantity(name, need), quantity(name, most))
		t.hint = fmt.Sprintf("lower resources.requests of the workload (%s), or add a bigger node", clean(string(name)))
		if !coming && !j.autoscaled() {
			patience = 0
		}
	} else {
		t.cause, t.hint = crowded(p, said)
		if !has(said, "insufficient", "too many pods") {
			t.kind = fault.Failed
		} else if !coming && helpless(preemption) {
			// An autoscaler looks every ten seconds, and would have said something.
			t.cause, patience = t.cause+" (no node is big enough)", min(patience, j.p.NoNodeFits)
		}
	}
	switch {
	case coming:
		t.cause += " (a node is being added)"
	case refused != "":
		t.cause += "; the autoscaler says: " + refused
	}
	j.add(t, patience, j.age(c.LastTransitionTime.Time))
	return true
}

// preempted reads what the scheduler says of making room: for how many of how many
// nodes that would not help.
var preempted = regexp.MustCompile(`0/(\d+) nodes are available: (\d+) Preemption is not helpful`)

// helpless tells that the pod would not fit on any node if it were empty.
func helpless(preemption string) bool {
	m := preempted.FindStringSubmatch(preemption)
	return m != nil && m[1] == m[2]
}

// crowded is the cause and the hint for a pod that a node could take, but none
// does.
func crowded(p *corev1.Pod, said string) (cause, hint string) {
	var asks []string
	for _, m := range short.FindAllStringSubmatch(said, 8) {
		name := corev1.ResourceName(strings.TrimRight(m[1], "."))
		if need, ok := requests(p)[name]; ok {
			if a := quantity(name, need); !slices.Contains(asks, a) {
				asks = append(asks, a)
			}
		}
	}
	cause = podName(p) + " can't be scheduled: "
	if len(asks) > 0 {
		cause += "no node has " + strings.Join(asks, " and ") + " left: "
		hint = "make room, add a node, or lower resources.requests; new pods stand beside the old ones until they are ready"
	}
	switch {
	case hint != "":
	case has(said, "taint"):
		hint = "add a toleration for the taint, or a node without it"
	case has(said, "affinity", "selector", "topology"):
		hint = "look at nodeSelector, affinity and spread of the workload, and at the labels of the nodes"
	case has(said, "persistentvolumeclaim", "persistent volume", "pvc"):
		hint = "look at the claim and its storage class: `kubectl describe pvc`"
	case has(said, "free ports"):
		hint = "a hostPort can be taken once per node: use a Service instead"
	}
	return cause + clean(said), hint
}

// tooBig finds a resource of which the pod asks for more than any node has.
// With no node known, nothing is too big.
func (j *judge) tooBig(p *corev1.Pod, said string) (name corev1.ResourceName, need, most resource.Quantity, never bool) {
	if len(j.s.Nodes) == 0 {
		return "", need, most, false
	}
	asks := requests(p)
	for _, m := range short.FindAllStringSubmatch(said, 8) {
		name = corev1.ResourceName(strings.TrimRight(m[1], "."))
		need, ok := asks[name]
		if !ok {
			continue
		}
		most = resource.Quantity{}
		for i := range j.s.Nodes {
			if room := j.s.Nodes[i].Status.Allocatable[name]; room.Cmp(most) > 0 {
				most = room
			}
		}
		if need.Cmp(most) > 0 {
			return name, need, most, true
		}
	}
	return "", need, most, false
}

// scaling tells whether an autoscaler is adding a node for the pod, or why not.
func (j *judge) scaling(p *corev1.Pod) (coming bool, refused string) {
	for _, e := range j.aboutPod(p) {
		switch e.Reason {
		case "TriggeredScaleUp", "Nominated":
			coming = true
		case "NotTriggerScaleUp":
			refused = clean(e.Message)
		}
	}
	return coming, refused
}

// autoscaled tells whether nodes come and go here: then one that is bigger than
// all of today's may come, if the autoscaler is given the time to say so.
func (j *judge) autoscaled() bool {
	for i := range j.s.Nodes {
		for key := range j.s.Nodes[i].Labels {
			if strings.HasPrefix(key, "karpenter.sh/") || strings.HasPrefix(key, "eks.amazonaws.com/compute-type") {
				return true
			}
		}
	}
	return slices.ContainsFunc(j.s.Events, func(e corev1.Event) bool {
		return e.Reason == "TriggeredScaleUp" || e.Reason == "NotTriggerScaleUp" || e.Source.Component == "karpenter" || e.ReportingController == "karpenter"
	})
}

// requests are what the scheduler reserves for a pod: its containers and
// sidecars together, or the biggest init container with the sidecars that were
// started before it, whichever is more, and the overhead.
func requests(p *corev1.Pod) corev1.ResourceList {
	total, sidecars, peak := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for _, c := range p.Spec.Containers {
		plus(total, c.Resources.Requests)
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			plus(sidecars, c.Resources.Requests)
			atLeast(peak, sidecars)
			continue
		}
		now := sidecars.DeepCopy()
		plus(now, c.Resources.Requests)
		atLeast(peak, now)
	}
	plus(total, sidecars)
	atLeast(total, peak)
	if p.Spec.Resources != nil {
		for name, q := range p.Spec.Resources.Requests {
			total[name] = q
		}
	}
	plus(total, p.Spec.Overhead)
	return total
}

func plus(sum, more corev1.ResourceList) {
	for name, q := range more {
		all := sum[name].DeepCopy()
		all.Add(q)
		sum[name] = all
	}
}

func atLeast(most, other corev1.ResourceList) {
	for name, q := range other {
		if old, ok := most[name]; !ok || q.Cmp(old) > 0 {
			most[name] = q.DeepCopy()
		}
	}
}

func quantity(name corev1.ResourceName, q resource.Quantity) string {
	return amount(name, q) + " " + clean(string(name))
}
