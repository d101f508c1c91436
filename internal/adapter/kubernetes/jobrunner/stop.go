package jobrunner

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// ending is why a Job was ended before its command had. It is stored in the cluster.
type ending struct {
	Reason   string `json:"reason"`
	TimedOut bool   `json:"timed_out,omitempty"`
}

func (e ending) state() port.JobState {
	s := ended(e.Reason)
	s.Exit.TimedOut = e.TimedOut
	return s
}

// endingOf returns why a Job was ended, or nil.
func endingOf(live *unstructured.Unstructured) (*ending, error) {
	text, ok := live.GetAnnotations()[endedAnnotation]
	switch {
	case ok:
		e := new(ending)
		if err := json.Unmarshal([]byte(text), e); err != nil {
			return nil, fault.New(fault.Corrupt, "read the annotation %s of %s", endedAnnotation, client.Title(live)).Cause(err)
		}
		return e, nil
	case live.GetDeletionTimestamp() != nil: // by a person, or by an earlier version of Slipway
		return &ending{Reason: "stopped"}, nil
	}
	return nil, nil
}

// Stop ends the Job, which stays known as stopped for as long as a finished one is kept.
// The pod of a command that has ended is let go: its outputs are given up.
func (j *Jobs) Stop(ctx context.Context, h port.JobHandle) error {
	name, err := objectName(h)
	if err != nil {
		return err
	}
	c, err := j.client()
	if err != nil {
		return err
	}
	live, err := c.Get(ctx, client.Jobs(), "", name)
	if err != nil || live == nil || isFinished(live) {
		return err
	}
	if e, err := endingOf(live); err != nil || e != nil {
		return err
	}
	pod, err := findPod(ctx, c, name)
	if err != nil {
		return err
	}
	p := poll{jobs: j, client: c, handle: h, live: live, pod: pod}
	if p.commandEnded() {
		return p.giveUp(ctx)
	}
	return p.endJob(ctx, ending{Reason: "stopped"})
}

func isFinished(live *unstructured.Unstructured) bool {
	return client.ConditionTrue(live, "Complete") || client.ConditionTrue(live, "Failed")
}

func (p *poll) commandEnded() bool {
	if p.pod == nil {
		return false
	}
	s := statusOf(p.pod.Status.ContainerStatuses, command)
	return s != nil && s.State.Terminated != nil
}

// giveUp lets the pod end without its outputs, unless it was let go before.
func (p *poll) giveUp(ctx context.Context) error {
	if !isRunning(p.pod, keeper) {
		return nil
	}
	err := p.letGo(ctx)
	if err != nil && p.hasEnded(ctx, keeper) {
		return nil
	}
	return err
}

func isRunning(pod *corev1.Pod, container string) bool {
	s := statusOf(pod.Status.ContainerStatuses, container)
	return s != nil && s.State.Running != nil
}

// endJob ends the Job's pod, and writes down why. The Job's deadline does it: the cluster
// removes the pods of a Job that is past it at once, the Job stays, and is removed with the
// finished ones. (A suspended one would never be removed, and a removed one is unknown.)
func (p *poll) endJob(ctx context.Context, e ending) error {
	why, err := json.Marshal(e)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{endedAnnotation: string(why)}},
		"spec":     map[string]any{"activeDeadlineSeconds": 1},
	})
	if err != nil {
		return err
	}
	_, err = p.client.In(client.Jobs(), "").Patch(ctx, p.live.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: labels.Manager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return client.Explain("end Job "+p.live.GetName()+" in "+p.client.String(), err)
}
