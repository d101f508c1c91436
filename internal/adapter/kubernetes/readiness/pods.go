package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/fault"
)

// containerState is a container of a pod with its reported status.
type containerState struct {
	pod     *corev1.Pod
	spec    *corev1.Container
	status  corev1.ContainerStatus
	init    bool
	sidecar bool // an init container with restartPolicy: Always
}

func (b containerState) String() string {
	name := "container"
	if b.init && !b.sidecar {
		name = "init container"
	}
	return fmt.Sprintf("%s %s of %s", name, clean(b.spec.Name), podName(b.pod))
}

// containerStates returns the containers that have a status, in the order in which
// they run.
func containerStates(p *corev1.Pod) []containerState {
	var out []containerState
	collect := func(specs []corev1.Container, statuses []corev1.ContainerStatus, init bool) {
		for i := range specs {
			spec := &specs[i]
			at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name })
			if at < 0 {
				continue
			}
			sidecar := init && spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
			out = append(out, containerState{pod: p, spec: spec, status: statuses[at], init: init, sidecar: sidecar})
		}
	}
	collect(p.Spec.InitContainers, p.Status.InitContainerStatuses, true)
	collect(p.Spec.Containers, p.Status.ContainerStatuses, false)
	return out
}

func podName(p *corev1.Pod) string { return "pod " + clean(p.Name) }

// PodReady reports whether a pod is ready to receive requests. Ready implies ContainersReady, but as
// several components write the status (readiness gates), both are checked.
func PodReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
		return false
	}
	r, c := condition(p, corev1.PodReady), condition(p, corev1.ContainersReady)
	return r != nil && r.Status == corev1.ConditionTrue && (c == nil || c.Status == corev1.ConditionTrue)
}

// minRunTime is how long a container without a probe must have run until its pod counts
// as ready. The API takes it for ready the moment it starts, and so a program that ends
// at once for one that works.
const minRunTime = 2 * time.Second

// unsettled returns how long containers of a ready pod must still run until it counts; 0:
// it counts.
func (a *assessor) unsettled(p *corev1.Pod) (left time.Duration) {
	for _, b := range containerStates(p) {
		if b.init || b.spec.ReadinessProbe != nil || b.spec.StartupProbe != nil || b.status.State.Running == nil {
			continue
		}
		left = max(left, minRunTime-max(0, a.snapshot.Now.Sub(b.status.State.Running.StartedAt.Time)))
	}
	return left
}

// ReadySince returns since when a ready pod is ready, by the cluster's clock.
func ReadySince(p *corev1.Pod) time.Time {
	if c := condition(p, corev1.PodReady); c != nil {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// workload returns the name of the workload that owns the pod.
func (a *assessor) workload(p *corev1.Pod) string {
	o := controllerRef(p.OwnerReferences)
	if o == nil {
		return p.Name
	}
	if o.Kind != "ReplicaSet" {
		return o.Name
	}
	if rs := a.owners[o.UID]; rs != nil {
		if d := controllerRef(rs.OwnerReferences); d != nil {
			return d.Name
		}
		return rs.Name
	}
	// The ReplicaSet may be observed after its pod; its name ends with the pods'
	// template hash.
	if hash := p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; hash != "" {
		return strings.TrimSuffix(o.Name, "-"+hash)
	}
	return o.Name
}

func controllerRef(refs []metav1.OwnerReference) *metav1.OwnerReference {
	for i := range refs {
		if refs[i].Controller != nil && *refs[i].Controller {
			return &refs[i]
		}
	}
	return nil
}

// ownedByJob reports whether the pod belongs to a Job, which decides itself how often
// its pods may fail.
func ownedByJob(p *corev1.Pod) bool {
	o := controllerRef(p.OwnerReferences)
	return o != nil && o.Kind == "Job"
}

// scheduledAt returns when the pod was scheduled, or else created.
func scheduledAt(p *corev1.Pod) time.Time {
	if c := condition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
		return c.LastTransitionTime.Time
	}
	return p.CreationTimestamp.Time
}

// assessFailedPod assesses a pod that has failed. Its controller replaces it: waiting
// is only pointless when pods are evicted one after another.
func (a *assessor) assessFailedPod(p *corev1.Pod) {
	if ownedByJob(p) {
		return
	}
	count := 0
	for _, o := range a.pods {
		if o.Status.Phase == corev1.PodFailed && o.Status.Reason == p.Status.Reason {
			count++
		}
	}
	reason := joinNonEmpty(": ", p.Status.Reason, p.Status.Message)
	if reason == "" {
		reason = "its node gave no reason"
	}
	t := problem{rank: rankScheduling, kind: fault.Failed, infrastructure: !containsAny(p.Status.Message, "exceeds"), cause: podName(p) + " was terminated by its node: " + clean(reason)}
	if p.Status.Reason == "Evicted" { // "exceeds" is about a limit of its own
		t.kind, t.hint = fault.Exhausted, "the node was short of memory or disk: set requests that the container really needs"
	}
	patience := noTimeout
	if count >= 3 {
		patience = 0
		t.cause += fmt.Sprintf(" (%d pods in a row)", count)
	}
	a.addProblem(t, patience, 0)
}

// assessLostNode: the node is gone and the pod's status is stale. The cluster creates
// another pod elsewhere after some minutes.
func (a *assessor) assessLostNode(p *corev1.Pod) bool {
	if p.Status.Reason != "NodeLost" && !a.nodeNotReady(p.Spec.NodeName) {
		return false
	}
	t := problem{rank: rankScheduling, kind: fault.Unavailable, cause: podName(p) + ": its node " + clean(p.Spec.NodeName) + " is not responding"}
	a.addProblem(t, noTimeout, 0)
	return true
}

// firstUnreadyPod describes the first pod that is not ready.
func (a *assessor) firstUnreadyPod() string {
	at := slices.IndexFunc(a.pods, func(p *corev1.Pod) bool {
		return (!PodReady(p) || a.unsettled(p) > 0) && p.Status.Phase != corev1.PodSucceeded
	})
	if at < 0 {
		return "waiting for pods to be created"
	}
	p := a.pods[at]
	if PodReady(p) {
		return podName(p) + ": it has no probe, and started less than " + minRunTime.String() + " ago"
	}
	return podName(p) + ": " + podProgress(p)
}

func podProgress(p *corev1.Pod) string {
	if c := condition(p, corev1.PodScheduled); c == nil || c.Status != corev1.ConditionTrue {
		if c != nil && c.Reason == corev1.PodReasonSchedulingGated {
			return "held back by a scheduling gate"
		}
		return "waiting for a node"
	}
	for _, b := range containerStates(p) {
		switch {
		case b.init && !b.sidecar && b.status.State.Running != nil:
			return "init container " + clean(b.spec.Name) + " is running"
		case b.status.State.Waiting != nil && !b.init:
			return "preparing container " + clean(b.spec.Name) + " (volumes, image)"
		case b.status.State.Running != nil && !b.status.Ready:
			return "waiting for container " + clean(b.spec.Name) + " to become ready"
		}
	}
	for _, g := range p.Spec.ReadinessGates {
		if c := condition(p, g.ConditionType); c == nil || c.Status != corev1.ConditionTrue {
			return "waiting for its readiness gate " + clean(string(g.ConditionType))
		}
	}
	return "starting"
}

func (a *assessor) nodeNotReady(name string) bool {
	for i := range a.snapshot.Nodes {
		n := &a.snapshot.Nodes[i]
		for _, c := range n.Status.Conditions {
			if n.Name == name && c.Type == corev1.NodeReady {
				return c.Status != corev1.ConditionTrue
			}
		}
	}
	return false
}
