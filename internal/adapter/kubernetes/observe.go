package kubernetes

import (
	"context"
	"fmt"
	"sort"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// Observe looks at the Services, the pods and the autoscalers.
func (t *Target) Observe(ctx context.Context, service string, env delivery.Environment) (port.Observation, error) {
	c, err := t.connected()
	if err != nil {
		return port.Observation{}, err
	}
	s, err := c.state(ctx, service, env)
	if err != nil {
		return port.Observation{}, err
	}
	found, err := c.podsOf(ctx, service, env)
	if err != nil {
		return port.Observation{}, err
	}
	out := port.Observation{Release: s.traffic}
	for _, pod := range found {
		if r := replica(pod); r.State != gone {
			out.Replicas = append(out.Replicas, r)
		}
	}
	sort.Slice(out.Replicas, func(i, j int) bool { return out.Replicas[i].Name < out.Replicas[j].Name })
	if beside := s.beside(); beside != "" && beside != s.traffic {
		out.Notes = append(out.Notes, fmt.Sprintf("%s is beside what serves, and was not accepted yet", beside))
	}
	if s.traffic == "" {
		return out, nil
	}
	if out.URL, out.ProxyURL, err = t.stable(ctx, c, service, env, s, found); err != nil {
		return out, err
	}
	if out.ProxyURL != "" {
		out.Notes = append(out.Notes, out.URL+" can't be reached from here: it is asked through the API server")
	}
	scaling, err := c.scaling(ctx, service, env)
	out.Notes = append(out.Notes, scaling...)
	return out, err
}

// gone is a pod that has ended and only waits to be forgotten.
const gone = "gone"

// replica is a pod as people of any target know it.
func replica(pod corev1.Pod) port.Replica {
	r := port.Replica{Name: pod.Name, Release: releaseOf(pod), State: "starting"}
	running := 0
	for _, s := range append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...) {
		r.Restarts += int(s.RestartCount)
		if s.State.Running != nil {
			running++
		}
		if w := s.State.Waiting; w != nil && strings.HasSuffix(w.Reason, "BackOff") {
			r.State, r.Cause = "backoff", printable(w.Reason+" "+w.Message)
			if l := s.LastTerminationState.Terminated; l != nil {
				r.Cause = printable(fmt.Sprintf("container %s ended with exit code %d (%s) %s", s.Name, l.ExitCode, l.Reason, l.Message))
			}
		}
		if s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
			r.Cause = printable(fmt.Sprintf("container %s ended with exit code %d (%s)", s.Name, s.State.Terminated.ExitCode, s.State.Terminated.Reason))
		}
	}
	switch {
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		r.State, r.Cause = "exited", printable(pod.Status.Reason+" "+pod.Status.Message+" "+r.Cause)
		if pod.DeletionTimestamp != nil {
			r.State = gone
		}
	case pod.DeletionTimestamp != nil && running == 0 && len(pod.Status.ContainerStatuses) > 0:
		r.State = gone
	case pod.DeletionTimestamp != nil:
		r.State = "draining"
	case podReady(pod):
		r.State = "ready"
	}
	return r
}

// printable is what a cluster says, as one bounded line.
func printable(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// scaling tells of each autoscaler between which bounds it works, and whether it
// can read what it goes by: one that can't does nothing, and says so nowhere else.
func (c *cluster) scaling(ctx context.Context, service string, env delivery.Environment) ([]string, error) {
	found, err := c.list(ctx, scalers(), labelsOf(service, env))
	if err != nil {
		return nil, err
	}
	all, err := typed[autoscalingv2.HorizontalPodAutoscaler](found)
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, h := range all {
		least := int32(1)
		if h.Spec.MinReplicas != nil {
			least = *h.Spec.MinReplicas
		}
		note := fmt.Sprintf("autoscaler %s: %d replicas, between %d and %d", h.Name, h.Status.CurrentReplicas, least, h.Spec.MaxReplicas)
		for _, m := range h.Status.CurrentMetrics {
			if m.Resource != nil && m.Resource.Current.AverageUtilization != nil {
				note += fmt.Sprintf("; %s at %d %%", m.Resource.Name, *m.Resource.Current.AverageUtilization)
			}
		}
		for _, cond := range h.Status.Conditions {
			if cond.Type == autoscalingv2.ScalingActive && cond.Status == corev1.ConditionFalse {
				note += "; it can't read its metric: " + printable(cond.Message)
			}
			if cond.Type == autoscalingv2.AbleToScale && cond.Status == corev1.ConditionFalse {
				note += "; it can't scale: " + printable(cond.Message)
			}
		}
		notes = append(notes, note)
	}
	return notes, nil
}
