package jobrunner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/textline"
)

// How long trouble may last that can end by itself.
const (
	imagePatience = 2 * time.Minute
	quotaPatience = 2 * time.Minute
	noPodPatience = 10 * time.Second // before events are looked at
	maxMessage    = 300              // characters of the cluster's words
)

// trouble is what keeps a Job from starting, and how long it may last.
type trouble struct {
	why      string // empty: none
	patience time.Duration
}

// creationTrouble finds why a Job has no pod among the warnings of its namespace.
func creationTrouble(live *unstructured.Unstructured, warnings []corev1.Event) trouble {
	i := slices.IndexFunc(warnings, func(e corev1.Event) bool {
		return e.Reason == "FailedCreate" && e.InvolvedObject.UID == live.GetUID()
	})
	if i < 0 {
		return trouble{}
	}
	why := "no pod can be made: " + textline.Printable(warnings[i].Message, maxMessage)
	if strings.Contains(why, "exceeded quota") {
		why += " (a quota of the namespace: lower cpu, memory or gpu of on.kubernetes, or free some)"
	}
	return trouble{why, quotaPatience}
}

// podTrouble finds why a pod does not start.
func podTrouble(pod *corev1.Pod) trouble {
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		w := s.State.Waiting
		if w == nil {
			continue
		}
		message := textline.Printable(cmp.Or(w.Message, w.Reason), maxMessage)
		switch w.Reason {
		case "InvalidImageName":
			return trouble{fmt.Sprintf("the image %s has no valid name: %s", s.Image, message), 0}
		case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable":
			return trouble{fmt.Sprintf("the image %s can't be pulled: %s (check on.kubernetes.image and pull_secret)", s.Image, message), imagePatience}
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return trouble{"the container can't be started: " + message, imagePatience}
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			why := fmt.Sprintf("no node can run the pod: %s (cpu, memory, gpu and node_selector of on.kubernetes say what it needs)", textline.Printable(c.Message, maxMessage))
			return trouble{why, maxPending}
		}
	}
	return trouble{}
}

// conditionMessage returns the message of a condition that is true, or "".
func conditionMessage(live *unstructured.Unstructured, kind string) string {
	if !client.ConditionTrue(live, kind) {
		return ""
	}
	all, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, c := range all {
		m, _ := c.(map[string]any)
		if m["type"] == kind {
			message, _ := m["message"].(string)
			reason, _ := m["reason"].(string)
			return textline.Printable(cmp.Or(message, reason, kind), maxMessage)
		}
	}
	return kind
}

func podReason(pod *corev1.Pod) string {
	return textline.Printable(strings.TrimPrefix(pod.Status.Reason+": "+pod.Status.Message, ": "), maxMessage)
}

// imageOf returns the image that a container runs, by digest.
func imageOf(s corev1.ContainerStatus) string {
	_, ref, found := strings.Cut(s.ImageID, "://")
	if !found {
		ref = s.ImageID
	}
	return ref
}
