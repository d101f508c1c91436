package rollout

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
)

// Selects reports whether one of the Services selects the pod.
func Selects(services []*unstructured.Unstructured, pod corev1.Pod) bool {
	for _, svc := range services {
		selector, _, _ := unstructured.NestedStringMap(svc.Object, "spec", "selector")
		if selects(selector, pod) {
			return true
		}
	}
	return false
}

func selects(selector map[string]string, pod corev1.Pod) bool {
	all := len(selector) > 0
	for k, v := range selector {
		all = all && pod.Labels[k] == v
	}
	return all
}

// Serves reports whether one of the Services selects the pod, or would if it selected
// the pod's release.
func Serves(services []*unstructured.Unstructured, pod corev1.Pod) bool {
	return slices.ContainsFunc(services, func(svc *unstructured.Unstructured) bool { return serves(svc, pod) })
}

func serves(svc *unstructured.Unstructured, pod corev1.Pod) bool {
	return Selects([]*unstructured.Unstructured{manifest.Select(svc, "")}, pod)
}

// PortOf returns the port on which a pod receives the requests of users: a target of a
// Service that serves it. 0: no Service does.
func PortOf(services []*unstructured.Unstructured, pod corev1.Pod) int {
	for _, svc := range services {
		if n := servedPort(svc, pod); n != 0 {
			return n
		}
	}
	return 0
}

// servedPort returns the port of a pod to which a Service leads.
func servedPort(svc *unstructured.Unstructured, pod corev1.Pod) int {
	s, err := client.As[corev1.Service](svc)
	if err != nil || !serves(svc, pod) {
		return 0
	}
	_, n := choosePort(s.Spec.Ports, pod)
	return n
}

// UserPort returns the port of a Service that users request, as far as its pods tell;
// false if it has none.
func UserPort(svc corev1.Service, pods []corev1.Pod) (corev1.ServicePort, bool) {
	all := svc.Spec.Ports
	if len(all) == 0 {
		return corev1.ServicePort{}, false
	}
	for _, pod := range pods {
		if selects(svc.Spec.Selector, pod) {
			if p, n := choosePort(all, pod); n != 0 {
				return p, true
			}
		}
	}
	return all[max(0, slices.IndexFunc(all, isHTTP))], true
}

// choosePort returns a Service's port and where it leads in a pod. Of several it is the
// one that the readiness probe requests, or else the one named http, or else the first.
func choosePort(all []corev1.ServicePort, pod corev1.Pod) (chosen corev1.ServicePort, target int) {
	probed, best := probedPorts(pod), 0
	for _, p := range all {
		n, rank := targetPort(p, pod), 1
		switch {
		case n == 0:
			continue
		case slices.Contains(probed, n):
			rank = 3
		case isHTTP(p):
			rank = 2
		}
		if rank > best {
			chosen, target, best = p, n, rank
		}
	}
	return chosen, target
}

func isHTTP(p corev1.ServicePort) bool { return p.Name == "http" || strings.HasPrefix(p.Name, "http-") }

// probedPorts returns the ports that the readiness probes of a pod request.
func probedPorts(pod corev1.Pod) []int {
	var out []int
	for _, c := range pod.Spec.Containers {
		if c.ReadinessProbe == nil {
			continue
		}
		switch probe := c.ReadinessProbe.ProbeHandler; {
		case probe.HTTPGet != nil:
			out = append(out, containerPort(pod, probe.HTTPGet.Port))
		case probe.TCPSocket != nil:
			out = append(out, containerPort(pod, probe.TCPSocket.Port))
		case probe.GRPC != nil:
			out = append(out, int(probe.GRPC.Port))
		}
	}
	return out
}

// targetPort returns the port of a pod that a Service's port leads to; 0 if no
// container declares the name.
func targetPort(p corev1.ServicePort, pod corev1.Pod) int {
	if n := containerPort(pod, p.TargetPort); n != 0 || p.TargetPort.StrVal != "" {
		return n
	}
	return int(p.Port)
}

func containerPort(pod corev1.Pod, p intstr.IntOrString) int {
	if p.Type == intstr.String {
		return namedPort(pod, p.StrVal)
	}
	return p.IntValue()
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
