package rollout

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
)

// Selects reports whether one of the Services selects the pod.
func Selects(services []*unstructured.Unstructured, pod corev1.Pod) bool {
	for _, svc := range services {
		selector, _, _ := unstructured.NestedStringMap(svc.Object, "spec", "selector")
		all := len(selector) > 0
		for k, v := range selector {
			all = all && pod.Labels[k] == v
		}
		if all {
			return true
		}
	}
	return false
}

// PortOf returns the port on which a pod takes requests: a Service's target, or else
// the first port that a container declares; 0 if there is none.
func PortOf(services []*unstructured.Unstructured, pod corev1.Pod) int {
	for _, svc := range services {
		if n := targetPort(svc, pod); n != 0 {
			return n
		}
	}
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			return int(p.ContainerPort)
		}
	}
	return 0
}

// targetPort returns the port of a pod that a Service's first port leads to.
func targetPort(svc *unstructured.Unstructured, pod corev1.Pod) int {
	s, err := client.As[corev1.Service](svc)
	if err != nil || len(s.Spec.Ports) == 0 {
		return 0
	}
	p := s.Spec.Ports[0]
	if p.TargetPort.StrVal != "" {
		return namedPort(pod, p.TargetPort.StrVal)
	}
	if p.TargetPort.IntVal != 0 {
		return int(p.TargetPort.IntVal)
	}
	return int(p.Port)
}

func namedPort(pod corev1.Pod, name string) int {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return int(p.ContainerPort)
			}
		}
	}
	return 0
}
