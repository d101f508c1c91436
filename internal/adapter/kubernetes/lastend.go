package kubernetes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxExplained is of how many pods the last end is explained in one observation.
const maxExplained = 5

// lastEnds returns how containers of the pods ended last, by pod. Without one that was
// restarted it makes no calls.
func lastEnds(ctx context.Context, c *client.Client, pods []corev1.Pod) (map[string]port.ReplicaEnd, error) {
	var events []corev1.Event
	out := map[string]port.ReplicaEnd{}
	for _, pod := range pods {
		end, ok := readiness.LastEnd(pod, nil, nil)
		if !ok || len(out) == maxExplained {
			continue
		}
		if events == nil {
			var err error
			if events, err = client.ListOf[corev1.Event](ctx, c, client.Events(), ""); err != nil {
				return nil, err
			}
		}
		log, err := c.LogTail(ctx, client.Log(end.Log), logTailLines)
		if err != nil && ctx.Err() != nil {
			return nil, waitEnded(ctx, "read the log of pod "+pod.Name, context.Cause(ctx))
		}
		end, _ = readiness.LastEnd(pod, events, map[readiness.LogKey][]string{end.Log: log})
		out[pod.Name] = port.ReplicaEnd{Cause: causeLine(end.Cause), At: localTime(c, end.At), Infrastructure: end.Infrastructure}
	}
	return out, nil
}

// localTime returns a time of the cluster by this machine's clock.
func localTime(c *client.Client, t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Since(c.Now()))
}
