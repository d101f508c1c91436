package kubernetes

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// reachTime is how long an address may take to accept a connection before the
// next one is tried: from where we are, not every one can be reached.
const reachTime = 2 * time.Second

// stable is the address of the service as users have it: Ingress, load balancer,
// node port, or its name in the cluster. When none can be reached from here, ask
// is a way through the API server.
func (t *Target) stable(ctx context.Context, c *cluster, service string, env delivery.Environment, s state, found []corev1.Pod) (url, ask string, err error) {
	if len(s.entries) == 0 {
		return "", "", nil
	}
	entrances, err := c.entrances(ctx, service, env)
	if err != nil {
		return "", "", err
	}
	for _, svc := range s.entries {
		var typed corev1.Service
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(svc.Object, &typed); err != nil {
			return "", "", fmt.Errorf("read %s: %w", title(svc), err)
		}
		for _, at := range candidates(typed, entrances, found) {
			if url == "" {
				url = at.url
			}
			if reachable(ctx, at.host) {
				return at.url, "", nil
			}
		}
		if url == "" && len(typed.Spec.Ports) > 0 {
			url = at("http", typed.Name+"."+typed.Namespace+".svc", typed.Spec.Ports[0].Port).url
		}
	}
	ask, err = t.forwardTo(c, service, env, "", nil)
	return url, ask, err
}

// candidate is an address that may work from here.
type candidate struct{ url, host string }

func at(scheme, host string, port int32) candidate {
	full := net.JoinHostPort(host, strconv.Itoa(int(port)))
	return candidate{scheme + "://" + full, full}
}

// entrances are the addresses of the service's Ingresses.
func (c *cluster) entrances(ctx context.Context, service string, env delivery.Environment) ([]candidate, error) {
	ing, err := c.list(ctx, ingresses(), labelsOf(service, env))
	if err != nil {
		return nil, err
	}
	all, err := typed[networkingv1.Ingress](ing)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, i := range all {
		out = append(out, ingressAddress(i)...)
	}
	return out, nil
}

// candidates are a Service's addresses, those that users have first.
func candidates(svc corev1.Service, entrances []candidate, found []corev1.Pod) []candidate {
	if len(svc.Spec.Ports) == 0 {
		return nil
	}
	out := slices.Clone(entrances)
	p := svc.Spec.Ports[0]
	for _, lb := range svc.Status.LoadBalancer.Ingress {
		if host := lb.Hostname + lb.IP; host != "" { // it has one of the two
			out = append(out, at("http", host, p.Port))
		}
	}
	if p.NodePort == 0 {
		return out
	}
	for _, pod := range found { // the nodes' own list is not for a role of one namespace
		if podReady(pod) && pod.Status.HostIP != "" {
			return append(out, at("http", pod.Status.HostIP, p.NodePort))
		}
	}
	return out
}

func ingressAddress(i networkingv1.Ingress) []candidate {
	var out []candidate
	scheme, port := "http", int32(80)
	if len(i.Spec.TLS) > 0 {
		scheme, port = "https", 443
	}
	for _, rule := range i.Spec.Rules {
		if rule.Host != "" && rule.Host[0] != '*' && len(i.Status.LoadBalancer.Ingress) > 0 {
			out = append(out, candidate{scheme + "://" + rule.Host, net.JoinHostPort(rule.Host, strconv.Itoa(int(port)))})
		}
	}
	return out
}

// reachable asks more than once: a node takes a moment to open a new port.
func reachable(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	var d net.Dialer
	return poll(ctx, func() (bool, error) {
		conn, err := d.DialContext(ctx, "tcp", host)
		if err == nil {
			conn.Close()
		}
		return err == nil, nil
	}) == nil
}

// targetPort is the port of a pod's container that a Service's first port means.
func targetPort(svc *unstructured.Unstructured, pod corev1.Pod) int {
	var s corev1.Service
	if runtime.DefaultUnstructuredConverter.FromUnstructured(svc.Object, &s) != nil || len(s.Spec.Ports) == 0 {
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
