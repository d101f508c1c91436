package kubernetes

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestWaiter_MinReady: a workload that is scaled down while it is waited for needs no more
// pods than it has by then.
func TestWaiter_MinReady(t *testing.T) {
	for _, c := range []struct {
		name   string
		scaled []string
		live   []int // replicas, one after the other
		want   int
	}{
		{"as wanted", nil, []int{3}, 3},
		{"not applied yet", nil, []int{1}, 3},
		{"applied", nil, []int{1, 3}, 3},
		{"scaled down by hand", nil, []int{3, 1}, 1},
		{"scaled up by hand", nil, []int{3, 5}, 3},
		{"scaled down and up again", nil, []int{3, 1, 2}, 2},
		{"scaled down by an autoscaler", []string{"api"}, []int{2}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := waiter{condition: condition{want: map[string]int{"api": 3, "absent": 1}, scaled: c.scaled}, reached: map[string]bool{}}
			var got map[string]int
			for _, n := range c.live {
				d := fakeapi.Object(t, fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: {replicas: %d}}", n))
				got = w.minReady(client.Snapshot{Deployments: []*unstructured.Unstructured{d}})
			}
			if diff := cmp.Diff(map[string]int{"api": c.want, "absent": 1}, got); diff != "" {
				t.Errorf("minReady (-want +got):\n%s", diff)
			}
		})
	}
}
