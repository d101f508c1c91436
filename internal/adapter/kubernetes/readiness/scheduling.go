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

// insufficientPattern matches the lacking resources in the scheduler's message.
var insufficientPattern = regexp.MustCompile(`Insufficient ([A-Za-z0-9][A-Za-z0-9./_-]*)`)

// assessUnscheduled assesses a pod that no node would take, and reports whether p is
// one.
func (a *assessor) assessUnscheduled(p *corev1.Pod) bool {
	c := condition(p, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return false
	}
	if c.Reason != corev1.PodReasonUnschedulable {
		return true
	}
	t := problem{rank: rankScheduling, kind: fault.Exhausted, infrastructure: true}
	message, preemption, _ := strings.Cut(c.Message, " preemption:")
	adding, reason := a.scaleUpState(p)
	patience := a.timeouts.Schedule
	if adding {
		patience = a.timeouts.ScaleUp
	}
	if name, need, largest, exceeds := a.exceedsNodes(p, message); exceeds {
		t.cause = fmt.Sprintf("%s can't be scheduled: it requests %s, and the largest node has %s", podName(p), formatResource(name, need), formatResource(name, largest))
		t.hint = fmt.Sprintf("lower resources.requests of the workload (%s), or add a larger node", clean(string(name)))
		if !adding && !a.hasAutoscaler() {
			patience = 0
		}
	} else {
		t.cause, t.hint = describeUnschedulable(p, message)
		if !containsAny(message, "insufficient", "too many pods") {
			t.kind = fault.Failed
		} else if !adding && preemptionCannotHelp(preemption) {
			// An autoscaler checks every ten seconds, and would have reported
			// something.
			t.cause, patience = t.cause+" (no node is large enough)", min(patience, a.timeouts.NoNodeFits)
		}
	}
	switch {
	case adding:
		t.cause += " (a node is being added)"
	case reason != "":
		t.cause += "; autoscaler: " + reason
	}
	a.addProblem(t, patience, a.elapsed(c.LastTransitionTime.Time))
	return true
}

// preemptionPattern matches for how many of how many nodes preemption would not help.
var preemptionPattern = regexp.MustCompile(`0/(\d+) nodes are available: (\d+) Preemption is not helpful`)

// preemptionCannotHelp reports whether the pod would not fit on any node even if it
// were empty.
func preemptionCannotHelp(preemption string) bool {
	match := preemptionPattern.FindStringSubmatch(preemption)
	return match != nil && match[1] == match[2]
}

// describeUnschedulable returns the cause and the hint for a pod that would fit on a
// node, but not now.
func describeUnschedulable(p *corev1.Pod, message string) (cause, hint string) {
	var requested []string
	for _, m := range insufficientPattern.FindAllStringSubmatch(message, 8) {
		name := corev1.ResourceName(strings.TrimRight(m[1], "."))
		if need, ok := podRequests(p)[name]; ok {
			if a := formatResource(name, need); !slices.Contains(requested, a) {
				requested = append(requested, a)
			}
		}
	}
	cause = podName(p) + " can't be scheduled: "
	if len(requested) > 0 {
		cause += "no node has " + strings.Join(requested, " and ") + " left: "
		hint = "free capacity, add a node, or lower resources.requests; new pods run alongside the old ones until they are ready"
	}
	switch {
	case hint != "":
	case containsAny(message, "taint"):
		hint = "add a toleration for the taint, or a node without it"
	case containsAny(message, "affinity", "selector", "topology"):
		hint = "check nodeSelector, affinity and topology spread of the workload, and the labels of the nodes"
	case containsAny(message, "persistentvolumeclaim", "persistent volume", "pvc"):
		hint = "check the claim and its storage class: `kubectl describe pvc`"
	case containsAny(message, "free ports"):
		hint = "a hostPort can be taken once per node: use a Service instead"
	}
	return cause + clean(message), hint
}

// exceedsNodes finds a resource of which the pod requests more than any node has. If
// no nodes are known, nothing exceeds them.
func (a *assessor) exceedsNodes(p *corev1.Pod, message string) (name corev1.ResourceName, need, largest resource.Quantity, exceeds bool) {
	if len(a.snapshot.Nodes) == 0 {
		return "", need, largest, false
	}
	asks := podRequests(p)
	for _, m := range insufficientPattern.FindAllStringSubmatch(message, 8) {
		name = corev1.ResourceName(strings.TrimRight(m[1], "."))
		need, ok := asks[name]
		if !ok {
			continue
		}
		largest = resource.Quantity{}
		for i := range a.snapshot.Nodes {
			if room := a.snapshot.Nodes[i].Status.Allocatable[name]; room.Cmp(largest) > 0 {
				largest = room
			}
		}
		if need.Cmp(largest) > 0 {
			return name, need, largest, true
		}
	}
	return "", need, largest, false
}

// scaleUpState reports whether an autoscaler is adding a node for the pod, or why it
// does not.
func (a *assessor) scaleUpState(p *corev1.Pod) (adding bool, reason string) {
	for _, e := range a.podEvents(p) {
		switch e.Reason {
		case "TriggeredScaleUp", "Nominated":
			adding = true
		case "NotTriggerScaleUp":
			reason = clean(e.Message)
		}
	}
	return adding, reason
}

// hasAutoscaler reports whether nodes are added and removed automatically: a larger
// node than today's may then be added, if the autoscaler is given time to announce
// it.
func (a *assessor) hasAutoscaler() bool {
	for i := range a.snapshot.Nodes {
		for key := range a.snapshot.Nodes[i].Labels {
			if strings.HasPrefix(key, "karpenter.sh/") || strings.HasPrefix(key, "eks.amazonaws.com/compute-type") {
				return true
			}
		}
	}
	return slices.ContainsFunc(a.snapshot.Events, func(e corev1.Event) bool {
		return e.Reason == "TriggeredScaleUp" || e.Reason == "NotTriggerScaleUp" || e.Source.Component == "karpenter" || e.ReportingController == "karpenter"
	})
}

// podRequests returns what the scheduler reserves for a pod: the sum of its
// containers and sidecars, or the largest init container with the sidecars started
// before it, whichever is greater, plus the overhead.
func podRequests(p *corev1.Pod) corev1.ResourceList {
	total, sidecars, peak := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for _, c := range p.Spec.Containers {
		addResources(total, c.Resources.Requests)
	}
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			addResources(sidecars, c.Resources.Requests)
			maxResources(peak, sidecars)
			continue
		}
		now := sidecars.DeepCopy()
		addResources(now, c.Resources.Requests)
		maxResources(peak, now)
	}
	addResources(total, sidecars)
	maxResources(total, peak)
	if p.Spec.Resources != nil {
		for name, q := range p.Spec.Resources.Requests {
			total[name] = q
		}
	}
	addResources(total, p.Spec.Overhead)
	return total
}

func addResources(sum, more corev1.ResourceList) {
	for name, q := range more {
		all := sum[name].DeepCopy()
		all.Add(q)
		sum[name] = all
	}
}

func maxResources(most, other corev1.ResourceList) {
	for name, q := range other {
		if old, ok := most[name]; !ok || q.Cmp(old) > 0 {
			most[name] = q.DeepCopy()
		}
	}
}

func formatResource(name corev1.ResourceName, q resource.Quantity) string {
	return formatQuantity(name, q) + " " + clean(string(name))
}
