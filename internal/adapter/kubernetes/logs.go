package kubernetes

import (
	"context"
	"sort"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// ReplicaLogs returns the last lines of every pod: "pod | text".
func (t *Target) ReplicaLogs(ctx context.Context, service string, env delivery.Environment, lines int) ([]string, error) {
	c, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := rollout.ListPods(ctx, c, service)
	if err != nil {
		return nil, err
	}
	sort.Slice(pods, func(i, j int) bool {
		return pods[i].CreationTimestamp.Before(&pods[j].CreationTimestamp)
	})
	var out []string
	for _, pod := range pods {
		for _, container := range containerNames(pod) {
			log, err := c.LogTail(ctx, client.Log{Namespace: pod.Namespace, Pod: pod.Name, Container: container}, lines)
			if err != nil && ctx.Err() != nil {
				return out, waitEnded(ctx, "read the log of pod "+pod.Name, context.Cause(ctx))
			}
			for _, line := range log { // a container that has not started has no log
				out = append(out, pod.Name+" | "+line)
			}
		}
	}
	return out, nil
}

func containerNames(pod corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}
