package kubernetes

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/wait"
)

// connectTimeout is how long an address may take to accept a connection before the
// next one is tried: not every one is reachable from here.
const connectTimeout = 2 * time.Second

// urlOf returns the address of the service for its users: Ingress, load balancer, node
// port, or its name in the cluster. If none is reachable from here, proxy is a way
// through the API server.
func (t *Target) urlOf(ctx context.Context, c *client.Client, service string, env delivery.Environment, s rollout.State, pods []corev1.Pod, listed []networkingv1.Ingress) (url, proxy string, err error) {
	if len(s.Services) == 0 {
		return "", "", nil
	}
	ingresses := ingressEndpoints(listed)
	for _, o := range s.Services {
		svc, err := client.As[corev1.Service](o)
		if err != nil {
			return "", "", err
		}
		for _, e := range endpoints(svc, ingresses, pods) {
			if url == "" {
				url = e.url
			}
			if isReachable(ctx, e.host) {
				return e.url, "", nil
			}
		}
		if url == "" {
			url = clusterEndpoint(svc, pods).url
		}
	}
	proxy, err = t.forward(c, service, env, "", nil)
	return url, proxy, err
}

// endpoint is an address that may be reachable from here.
type endpoint struct{ url, host string }

func newEndpoint(scheme, host string, port int32) endpoint {
	full := net.JoinHostPort(host, strconv.Itoa(int(port)))
	return endpoint{scheme + "://" + full, full}
}

// clusterEndpoint is the address of a Service within the cluster; the zero endpoint if it
// has no port.
func clusterEndpoint(svc corev1.Service, pods []corev1.Pod) endpoint {
	p, ok := rollout.UserPort(svc, pods)
	if !ok {
		return endpoint{}
	}
	return newEndpoint("http", svc.Name+"."+svc.Namespace+".svc", p.Port)
}

func listIngresses(ctx context.Context, c *client.Client, service string, env delivery.Environment) ([]networkingv1.Ingress, error) {
	return client.ListOf[networkingv1.Ingress](ctx, c, client.Ingresses(), labels.Selector(service, env))
}

func ingressEndpoints(ingresses []networkingv1.Ingress) []endpoint {
	var out []endpoint
	for _, i := range ingresses {
		out = append(out, endpointsOfIngress(i)...)
	}
	return out
}

func endpointsOfIngress(i networkingv1.Ingress) []endpoint {
	var out []endpoint
	scheme, port := "http", int32(80)
	if len(i.Spec.TLS) > 0 {
		scheme, port = "https", 443
	}
	add := func(host string) {
		if host != "" && host[0] != '*' {
			full := net.JoinHostPort(host, strconv.Itoa(int(port)))
			out = append(out, endpoint{scheme + "://" + strings.TrimSuffix(full, ":"+strconv.Itoa(int(port))), full})
		}
	}
	for _, rule := range i.Spec.Rules {
		for _, lb := range i.Status.LoadBalancer.Ingress {
			if rule.Host != "" {
				add(rule.Host)
				break
			}
			add(lb.Hostname + lb.IP) // it has one of the two, and serves any host
		}
	}
	return out
}

// endpoints returns a Service's addresses, those of users first.
func endpoints(svc corev1.Service, ingresses []endpoint, pods []corev1.Pod) []endpoint {
	p, ok := rollout.UserPort(svc, pods)
	if !ok {
		return nil
	}
	out := slices.Clone(ingresses)
	for _, lb := range svc.Status.LoadBalancer.Ingress {
		if host := lb.Hostname + lb.IP; host != "" { // it has one of the two
			out = append(out, newEndpoint("http", host, p.Port))
		}
	}
	if p.NodePort == 0 {
		return out
	}
	for _, pod := range pods { // a role within one namespace may not list nodes
		if readiness.PodReady(&pod) && pod.Status.HostIP != "" {
			return append(out, newEndpoint("http", pod.Status.HostIP, p.NodePort))
		}
	}
	return out
}

// isReachable tries more than once: a node takes a moment to open a new port.
func isReachable(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var d net.Dialer
	return wait.Poll(ctx, client.PollInterval, func(ctx context.Context) (bool, error) {
		conn, err := d.DialContext(ctx, "tcp", host)
		if err == nil {
			conn.Close()
		}
		return err == nil, nil
	}) == nil
}
