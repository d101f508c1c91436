package jobrunner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// findPod returns the Job's newest pod, or nil.
func findPod(ctx context.Context, c *client.Client, name string) (*corev1.Pod, error) {
	pods, err := client.ListOf[corev1.Pod](ctx, c, client.Pods(), jobLabel+"="+name)
	if err != nil || len(pods) == 0 {
		return nil, err
	}
	newest := slices.MaxFunc(pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return &newest, nil
}

// poll is one look at a Job.
type poll struct {
	jobs   *Jobs
	client *client.Client
	handle port.JobHandle
	live   *unstructured.Unstructured
	pod    *corev1.Pod // nil: none
	own    *localJob
}

func statusOf(all []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// ended is a Job that ended for another reason than its command.
func ended(reason string) port.JobState {
	return port.JobState{Found: true, Done: true, Exit: port.Exit{Code: 128 + 9}, Reason: reason}
}

func (p *poll) transferFailed(act string, err error) error {
	var exit *client.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", act, err)
	}
	return fault.New(fault.Failed, "%s", act).Cause(exit).
		Hint("the image %s needs the programs sh, tar, mktemp, mv and sleep, and room for the files", p.jobs.section.Image)
}

// letGo lets the pod end.
func (p *poll) letGo(ctx context.Context) error {
	err := p.client.Run(ctx, client.Exec{Pod: p.pod.Name, Container: keeper, Command: []string{"sh", "-c", ": > " + volumeDir + "/.fetched"}})
	if err != nil {
		return p.transferFailed("end job "+string(p.handle), err)
	}
	return nil
}

// hasEnded reports whether a container that was let go has ended by now. The cluster may
// report that a moment later than it ends.
func (p *poll) hasEnded(ctx context.Context, container string) bool {
	for range endLooks {
		pod, err := findPod(ctx, p.client, p.live.GetName())
		if err != nil || pod == nil {
			return false
		}
		all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
		if k := statusOf(all, container); k == nil || k.State.Terminated != nil {
			return true
		}
		if wait.Sleep(ctx, endPause) != nil {
			return false
		}
	}
	return false
}

// How often, and with what pause, the end of a container is looked for.
const (
	endLooks = 30
	endPause = 300 * time.Millisecond
)
