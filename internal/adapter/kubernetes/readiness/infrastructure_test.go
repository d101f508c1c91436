package readiness_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
)

// TestAssess_Infrastructure: what the namespace or the cluster lacks is no verdict on
// the release, and everything that is wrong with the release is.
func TestAssess_Infrastructure(t *testing.T) {
	refused := func(message string) readiness.Snapshot {
		s := snapshot(120)
		s.ReplicaSets = append(s.ReplicaSets, replicaSet(message))
		return s
	}
	evicted := func(message string) readiness.Snapshot {
		var pods []corev1.Pod
		for _, name := range []string{"api-77-a", "api-77-b", "api-77-c"} {
			pods = append(pods, pod(name, func(p *corev1.Pod) {
				p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", message
			}))
		}
		return snapshot(120, pods...)
	}
	unscheduled := snapshot(120, pod("api-77-a", func(p *corev1.Pod) {
		p.Status.Conditions[0] = corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: "0/1 nodes are available: 1 Insufficient cpu.", LastTransitionTime: atSecond(0),
		}
	}))
	const forbidden = `pods "api-77-a" is forbidden: `
	for _, c := range []struct {
		name string
		s    readiness.Snapshot
		want bool
	}{
		{"quota", refused(forbidden + "exceeded quota: full, requested: pods=1, used: pods=2, limited: pods=2"), true},
		{"quota that demands limits", refused(forbidden + "failed quota: full: must specify limits.cpu"), true},
		{"LimitRange", refused(forbidden + "maximum cpu usage per Container is 100m, but limit is 1"), true},
		{"rights", refused(forbidden + `User "system:node" cannot create resource "pods"`), true},
		{"ServiceAccount", refused(forbidden + `error looking up service account mlops/api: serviceaccount "api" not found`), true},
		{"webhook that does not respond", refused("Internal error occurred: failed calling webhook: denied the request is in its name"), true},
		{"pod security", refused(forbidden + `violates PodSecurity "restricted:latest"`), false},
		{"policy", refused(forbidden + "admission webhook denied the request: no"), false},
		{"template", refused(`Pod "api-77-a" is invalid: spec.containers[0].name`), false},
		{"no room", unscheduled, true},
		{"node under pressure", evicted("The node was low on resource: memory."), true},
		{"own disk limit", evicted("Pod ephemeral local storage usage exceeds the total limit of containers 10Mi."), false},
		{"absent Secret", snapshot(30, pod("api-77-a", waiting("CreateContainerConfigError", `secret "db" not found`))), true},
		{"absent key", snapshot(30, pod("api-77-a", waiting("CreateContainerConfigError", "couldn't find key URL in ConfigMap mlops/api"))), false},
		{"registry's rights", snapshot(120, pod("api-77-a", waiting("ErrImagePull", "403 Forbidden"))), true},
		{"image not found", snapshot(120, pod("api-77-a", waiting("ErrImagePull", "manifest unknown"))), false},
		{"unsigned image", snapshot(120, pod("api-77-a", waiting("SignatureValidationFailed", "no signature"))), false},
		{"out of its memory", snapshot(30, pod("api-77-a", waiting("CrashLoopBackOff", ""), terminated(2, 137, "OOMKilled", 20))), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := readiness.Assess(c.s)
			if v.State != readiness.Failed || v.Infrastructure != c.want {
				t.Errorf("State = %s, Infrastructure = %v (%s), want failed, %v", v.State, v.Infrastructure, v.Cause+v.Progress, c.want)
			}
			if strings.TrimSpace(v.Cause) == "" {
				t.Error("no cause")
			}
		})
	}
}
