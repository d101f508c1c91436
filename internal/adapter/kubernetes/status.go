package kubernetes

import (
	"context"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/textline"
)

// Observe reads the Services, the pods and the autoscalers.
func (t *Target) Observe(ctx context.Context, service string, env delivery.Environment) (port.Observation, error) {
	obs, _, err := t.observe(ctx, service, env)
	return obs, err
}

// observe is Observe, with how users get to the service.
func (t *Target) observe(ctx context.Context, service string, env delivery.Environment) (port.Observation, reach, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Observation{}, reach{}, err
	}
	s, err := rollout.Read(ctx, c, service, env)
	if err != nil {
		return port.Observation{}, reach{}, err
	}
	pods, err := rollout.ListPods(ctx, c, service)
	if err != nil {
		return port.Observation{}, reach{}, err
	}
	ends, err := lastEnds(ctx, c, pods)
	if err != nil {
		return port.Observation{}, reach{}, err
	}
	out := port.Observation{Release: s.Traffic, Replicas: replicasOf(pods, ends), Wanted: s.Wanted()}
	if staged := s.Staged(); staged != "" && staged != s.Traffic {
		out.Notes = append(out.Notes, fmt.Sprintf("%s is staged and not yet promoted", staged))
	}
	if s.Traffic == "" {
		return out, reach{}, nil
	}
	ingresses, err := listIngresses(ctx, c, service, env)
	if err != nil {
		return out, reach{}, err
	}
	if out.URL, out.ProxyURL, err = t.urlOf(ctx, c, service, env, s, pods, ingresses); err != nil {
		return out, reach{}, err
	}
	r, err := t.reachOf(ctx, s.Services, ingresses, out)
	if err != nil {
		return out, r, err
	}
	if r.certain {
		out.Unreachable = r.missing
		out.Notes = append(out.Notes, "users can't reach it: "+r.missing)
	}
	if out.ProxyURL != "" {
		out.Notes = append(out.Notes, out.URL+" is not reachable from here; requests go through the API server")
	}
	notes, err := autoscalerNotes(ctx, c, service, env)
	out.Notes = append(out.Notes, notes...)
	return out, r, err
}

func replicasOf(pods []corev1.Pod, ends map[string]port.ReplicaEnd) []port.Replica {
	var out []port.Replica
	for _, pod := range pods {
		if hasEnded(pod) {
			continue
		}
		r := replicaOf(pod)
		if end, ok := ends[pod.Name]; ok {
			r.LastEnd = &end
		}
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// hasEnded reports whether a pod only waits to be removed from the API server.
func hasEnded(pod corev1.Pod) bool {
	if pod.DeletionTimestamp == nil {
		return false
	}
	return isTerminal(pod) || runningContainers(pod) == 0 && len(pod.Status.ContainerStatuses) > 0
}

func isTerminal(pod corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func containerStatuses(pod corev1.Pod) []corev1.ContainerStatus {
	return append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
}

func runningContainers(pod corev1.Pod) (n int) {
	for _, s := range containerStatuses(pod) {
		if s.State.Running != nil {
			n++
		}
	}
	return n
}

// replicaOf describes a pod in the words of any target.
func replicaOf(pod corev1.Pod) port.Replica {
	r := port.Replica{Name: pod.Name, Release: rollout.ReleaseOf(pod), State: port.ReplicaStarting}
	for _, s := range containerStatuses(pod) {
		r.Restarts += int(s.RestartCount)
		if w := s.State.Waiting; w != nil && strings.HasSuffix(w.Reason, "BackOff") {
			r.State, r.Cause = port.ReplicaBackoff, causeLine(w.Reason+" "+w.Message)
			if l := s.LastTerminationState.Terminated; l != nil {
				r.Cause = causeLine(fmt.Sprintf("container %s ended with exit code %d (%s) %s", s.Name, l.ExitCode, l.Reason, l.Message))
			}
		}
		if e := s.State.Terminated; e != nil && e.ExitCode != 0 {
			r.Cause = causeLine(fmt.Sprintf("container %s ended with exit code %d (%s)", s.Name, e.ExitCode, e.Reason))
		}
	}
	switch {
	case isTerminal(pod):
		r.State, r.Cause = port.ReplicaExited, causeLine(pod.Status.Reason+" "+pod.Status.Message+" "+r.Cause)
	case pod.DeletionTimestamp != nil:
		r.State = port.ReplicaDraining
	case readiness.PodReady(&pod):
		r.State, r.ReadySince = port.ReplicaReady, readiness.ReadySince(&pod)
	}
	return r
}

// maxCauseLength is how many characters of a cluster's message are shown.
const maxCauseLength = 300

func causeLine(text string) string { return textline.Printable(text, maxCauseLength) }
