package kubernetes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
)

// TestCompleteCondition_Owned: only pods of the workloads that the release has are
// waited for.
func TestCompleteCondition_Owned(t *testing.T) {
	deployment := fakeapi.Object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: {replicas: 1}}")
	for _, c := range []struct {
		name, pod string
		waits     bool
	}{
		{"the release before", "{metadata: {name: api-1-x, labels: {slipway.dev/release: r-1, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: api-1}]}}", true},
		{"the release itself", "{metadata: {name: api-2-x, labels: {slipway.dev/release: r-2, pod-template-hash: '2'}, ownerReferences: [{kind: ReplicaSet, name: api-2}]}}", false},
		{"it ends already", "{metadata: {name: api-1-x, deletionTimestamp: '2026-01-01T00:00:00Z', labels: {slipway.dev/release: r-1, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: api-1}]}}", false},
		{"a worker that was dropped", "{metadata: {name: worker-1-x, labels: {slipway.dev/release: r-1, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: worker-1}]}}", false},
		{"a Deployment whose name begins alike", "{metadata: {name: api-old-1-x, labels: {slipway.dev/release: r-1, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: api-old-1}]}}", false},
		{"a Job", "{metadata: {name: migrate-x, labels: {slipway.dev/release: r-1}, ownerReferences: [{kind: Job, name: migrate}]}}", false},
		{"a StatefulSet", "{metadata: {name: api-0, labels: {slipway.dev/release: r-1}, ownerReferences: [{kind: StatefulSet, name: api}]}}", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := &operation{state: rollout.State{}}
			cond := op.completeCondition(&manifest.Set{Release: "r-2", Workloads: []*unstructured.Unstructured{deployment}})
			missing := cond.further(client.Snapshot{Pods: []corev1.Pod{fakeapi.As[corev1.Pod](t, c.pod)}})
			if (missing != "") != c.waits {
				t.Errorf("what is missing = %q, want something: %t", missing, c.waits)
			}
		})
	}
}
