package readiness_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/fault"
)

func unschedulable(message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.NodeName = ""
		p.Status.ContainerStatuses = nil
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message, LastTransitionTime: atSecond(0),
		}}
	}
}

func withNodes(s readiness.Snapshot, all ...corev1.Node) readiness.Snapshot {
	s.Nodes = all
	return s
}

func TestAssess_Scheduling(t *testing.T) {
	const noCPU = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
	const crowded = "pod api-77-a can't be scheduled: no node has 2 cpu left: 0/2 nodes are available: 2 Insufficient cpu."
	const tooBig = "pod api-77-a can't be scheduled: it requests 64 cpu, and the largest node has 4 cpu"
	big := pod("api-77-a", withResources("cpu", "64", ""), unschedulable(noCPU))
	usual := pod("api-77-a", withResources("cpu", "2", ""), unschedulable(noCPU))
	karpenter := node("n1", "4")
	karpenter.Labels = map[string]string{"karpenter.sh/nodepool": "default"}
	scaleUp := event("api-77-a", "TriggeredScaleUp", "pod triggered scale-up", 1, 1)
	sidecar := corev1.ContainerRestartPolicyAlways
	runCases(t, []testCase{
		{name: "bigger than any node", s: withNodes(snapshot(1, big), node("n1", "2"), node("n2", "4")),
			state: readiness.Failed, kind: fault.Exhausted, hint: "lower resources.requests of the workload (cpu)", cause: tooBig},
		{name: "bigger, and a node is coming", s: withEvents(withNodes(snapshot(500, big), node("n2", "4")), scaleUp), state: readiness.Progressing,
			waiting: "0 of 1 pods ready; " + tooBig + " (a node is being added)"},
		{name: "bigger, and the node never came", s: withEvents(withNodes(snapshot(600, big), node("n2", "4")), scaleUp),
			state: readiness.Failed, kind: fault.Exhausted, hint: "larger node", cause: tooBig + " (a node is being added)"},
		{name: "bigger, where nodes come and go", s: withNodes(snapshot(1, big), karpenter), state: readiness.Progressing},
		{name: "bigger, and the autoscaler declines", s: withEvents(withNodes(snapshot(60, big), node("n2", "4")), event("api-77-a", "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", 1, 1)),
			state: readiness.Failed, kind: fault.Exhausted, hint: "larger node", cause: tooBig + "; autoscaler: pod didn't trigger scale-up: 1 max node group size reached"},
		{name: "nodes not known", s: snapshot(1, big), state: readiness.Progressing},
		{name: "crowded", s: withNodes(snapshot(59, usual), node("n1", "2"), node("n2", "4")), state: readiness.Progressing, waiting: "0 of 1 pods ready; " + crowded},
		{name: "crowded for long", s: withNodes(snapshot(60, usual), node("n1", "2"), node("n2", "4")),
			state: readiness.Failed, kind: fault.Exhausted, hint: "free capacity", cause: crowded},
		{name: "a graphics card", s: withNodes(snapshot(1, pod("api-77-a", withResources("nvidia.com/gpu", "1", ""), unschedulable("0/1 nodes are available: 1 Insufficient nvidia.com/gpu."))), node("n1", "4")),
			state: readiness.Failed, kind: fault.Exhausted, hint: "nvidia.com/gpu",
			cause: "pod api-77-a can't be scheduled: it requests 1 nvidia.com/gpu, and the largest node has 0 nvidia.com/gpu"},
		{name: "containers and sidecars count together", s: withNodes(snapshot(1, pod("api-77-a", withResources("memory", "10Gi", ""), unschedulable("0/1 nodes are available: 1 Insufficient memory."), func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{
				{Name: "proxy", RestartPolicy: &sidecar, Resources: p.Spec.Containers[0].Resources},
			}
		})), node("n1", "4")), state: readiness.Failed, kind: fault.Exhausted, hint: "memory",
			cause: "pod api-77-a can't be scheduled: it requests 20Gi memory, and the largest node has 15.5Gi memory"},
		{name: "an init container counts for itself", s: withNodes(snapshot(1, pod("api-77-a", withResources("memory", "1Gi", ""), unschedulable("0/1 nodes are available: 1 Insufficient memory."), func(p *corev1.Pod) {
			big := p.DeepCopy()
			withResources("memory", "30Gi", "")(big)
			p.Spec.InitContainers = []corev1.Container{{Name: "model", Resources: big.Spec.Containers[0].Resources}}
		})), node("n1", "4")), state: readiness.Failed, kind: fault.Exhausted, hint: "memory",
			cause: "pod api-77-a can't be scheduled: it requests 30Gi memory, and the largest node has 15.5Gi memory"},
		{name: "taint", s: withNodes(snapshot(60, pod("api-77-a", unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}."))), node("n1", "4")),
			state: readiness.Failed, kind: fault.Failed, hint: "toleration", cause: "pod api-77-a can't be scheduled: 0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}."},
		{name: "selector", s: withNodes(snapshot(60, pod("api-77-a", unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."))), node("n1", "4")),
			state: readiness.Failed, kind: fault.Failed, hint: "nodeSelector", cause: "pod api-77-a can't be scheduled: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."},
		{name: "not looked at yet", s: snapshot(1, pod("api-77-a", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} })), state: readiness.Progressing,
			waiting: "0 of 1 pods ready; pod api-77-a: waiting for a node"},
	})
}

func TestAssess_Volumes(t *testing.T) {
	const missing = `MountVolume.SetUp failed for volume "cfg" : configmap "api-cfg-1a" not found`
	const cause = "pod api-77-a cannot mount its volumes: " + missing
	mount := event("api-77-a", "FailedMount", missing, 1, 9)
	mount.InvolvedObject.FieldPath = ""
	attach := event("api-77-a", "FailedAttachVolume", `Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) api-66-x`, 1, 9)
	runCases(t, []testCase{
		{name: "arriving", s: withEvents(snapshot(19, pod("api-77-a")), mount), state: readiness.Progressing, waiting: "0 of 1 pods ready; " + cause},
		{name: "missing", s: withEvents(snapshot(20, pod("api-77-a")), mount), state: readiness.Failed, kind: fault.NotFound, hint: "part of the release", cause: cause},
		{name: "arrived", s: withEvents(snapshot(99, pod("api-77-a", waiting("ContainerCreating", ""), func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue})
		})), mount), state: readiness.Progressing, waiting: "0 of 1 pods ready; pod api-77-a: preparing container api (volumes, image)"},
		{name: "arrived and pulling", s: withEvents(snapshot(30, pod("api-77-a", waiting("ErrImagePull", "i/o timeout"))), mount), state: readiness.Progressing},
		{name: "attached elsewhere", s: withEvents(snapshot(100, pod("api-77-a")), attach), state: readiness.Progressing},
		{name: "attached elsewhere for long", s: withEvents(snapshot(120, pod("api-77-a")), attach), state: readiness.Failed, kind: fault.Unavailable, hint: "ReadWriteMany",
			cause: `pod api-77-a cannot mount its volumes: Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) api-66-x`},
		{name: "network", s: withEvents(snapshot(120, pod("api-77-a")), event("api-77-a", "FailedCreatePodSandBox", "plugin type=\"bridge\" failed (add): no IP addresses available", 1, 9)),
			state: readiness.Failed, kind: fault.Unavailable, hint: "network plugin", cause: `pod api-77-a cannot set up its network: plugin type="bridge" failed (add): no IP addresses available`},
	})
}

func TestAssess_LostPods(t *testing.T) {
	evicted := func(p *corev1.Pod) {
		p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}
	}
	dead := node("n1", "4")
	dead.Status.Conditions[0].Status = corev1.ConditionUnknown
	const cause = "pod api-77-a was terminated by its node: Evicted: The node was low on resource: memory."
	runCases(t, []testCase{
		{name: "evicted", s: snapshot(1, pod("api-77-a", evicted), pod("api-77-b", evicted)), state: readiness.Progressing, waiting: "0 of 2 pods ready; " + cause},
		{name: "evicted and replaced", s: modified(snapshot(9, pod("api-77-a", evicted), pod("api-77-b", readySince(2, 3))), func(s *readiness.Snapshot) { s.MinReady["api"] = 1 }), state: readiness.Ready},
		{name: "evicted over and over", s: snapshot(9, pod("api-77-a", evicted), pod("api-77-b", evicted), pod("api-77-c", evicted)),
			state: readiness.Failed, kind: fault.Exhausted, hint: "requests", cause: cause + " (3 pods in a row)"},
		{name: "node lost", s: withNodes(snapshot(99, pod("api-77-a", running(1), withReadinessProbe(&corev1.Probe{}))), dead), state: readiness.Progressing,
			waiting: "0 of 1 pods ready; pod api-77-a: its node n1 is not responding"},
		{name: "preempted", s: snapshot(1, pod("api-77-a", readySince(0, 1), deletedAt(1))), state: readiness.Progressing, waiting: "0 of 1 pods ready; waiting for pods to be created"},
	})
}

// Which pods count for which workload.
func TestAssess_CountsPods(t *testing.T) {
	two := snapshot(5, pod("api-77-a", readySince(1, 2)), pod("w-0", readySince(1, 2), func(p *corev1.Pod) { p.OwnerReferences = owner("StatefulSet", "worker") }))
	two.MinReady = map[string]int{"api": 1, "worker": 1}
	stray := snapshot(5, oldPod(readySince(1, 2)))
	half := pod("api-77-a", readySince(1, 2), func(p *corev1.Pod) { p.Status.Conditions[1].Status = corev1.ConditionFalse })
	runCases(t, []testCase{
		{name: "of two workloads", s: two, state: readiness.Ready, waiting: "api: 1 of 1 pods ready, worker: 1 of 1 pods ready"},
		{name: "one short", s: modified(two, func(s *readiness.Snapshot) { s.Pods = s.Pods[:1] }), state: readiness.Progressing,
			waiting: "api: 1 of 1 pods ready, worker: 0 of 1 pods ready; waiting for pods to be created"},
		{name: "another release's pod among them", s: stray, state: readiness.Progressing},
		{name: "old pods", s: modified(snapshot(5), func(s *readiness.Snapshot) { s.OldPods = []corev1.Pod{oldPod(readySince(1, 2))} }), state: readiness.Progressing},
		{name: "containers not ready", s: snapshot(5, half), state: readiness.Progressing},
		{name: "nothing wanted", s: modified(snapshot(5), func(s *readiness.Snapshot) { s.MinReady = nil }), state: readiness.Ready},
		{name: "by its ReplicaSet's owner", s: modified(snapshot(5, pod("p", readySince(1, 2), func(p *corev1.Pod) { p.OwnerReferences[0].Name = "odd" })), func(s *readiness.Snapshot) {
			rs := replicaSet("")
			rs.UID = "ReplicaSetapi-77"
			s.ReplicaSets = append(s.ReplicaSets, rs)
		}), state: readiness.Ready},
		{name: "alone", s: snapshot(5, pod("api", readySince(1, 2), func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{} })), state: readiness.Ready},
	})
}
