package kubernetes

import (
	"context"
	"errors"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How long a new load balancer or Ingress may take until users reach the service by it,
// and the pause between two looks. A cloud takes minutes, and then DNS does.
const (
	addressTimeout  = 5 * time.Minute
	addressInterval = time.Second
	lookupTimeout   = 2 * time.Second
)

// reach is how users outside of the cluster get to a service.
type reach struct {
	missing string    // why they don't, as far as can be seen from here; empty: they do, or are not meant to
	certain bool      // whether that holds from anywhere
	created time.Time // when the object was created that is to lead them
}

// pendingAddress returns the first object that is to lead users to the service and has
// no address yet. A Service's port on the nodes is not what users were given.
func pendingAddress(services []corev1.Service, ingresses []networkingv1.Ingress) reach {
	for _, i := range ingresses {
		if len(i.Status.LoadBalancer.Ingress) == 0 {
			return reach{"Ingress " + i.Name + " has no address: no controller has taken it", true, i.CreationTimestamp.Time}
		}
	}
	for _, svc := range services {
		if svc.Spec.Type == corev1.ServiceTypeLoadBalancer && len(svc.Status.LoadBalancer.Ingress) == 0 {
			return reach{"Service " + svc.Name + " has no load balancer", true, svc.CreationTimestamp.Time}
		}
	}
	return reach{}
}

// userHosts returns the hosts of the addresses that load balancers and Ingresses have,
// and when the youngest of them was created.
func userHosts(services []corev1.Service, ingresses []networkingv1.Ingress) (hosts []string, created time.Time) {
	add := func(host string, at time.Time) {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if hosts = append(hosts, host); at.After(created) {
			created = at
		}
	}
	for _, i := range ingresses {
		for _, e := range endpointsOfIngress(i) {
			add(e.host, i.CreationTimestamp.Time)
		}
	}
	for _, svc := range services {
		for _, lb := range svc.Status.LoadBalancer.Ingress {
			if host := lb.Hostname + lb.IP; host != "" {
				add(host, svc.CreationTimestamp.Time)
			}
		}
	}
	return hosts, created
}

// reachOf returns how users get to the service. Its address from here is the
// observation's, which is the API server's way if no other one works.
func (t *Target) reachOf(ctx context.Context, objects []*unstructured.Unstructured, ingresses []networkingv1.Ingress, obs port.Observation) (reach, error) {
	var services []corev1.Service
	for _, o := range objects {
		svc, err := client.As[corev1.Service](o)
		if err != nil {
			return reach{}, err
		}
		services = append(services, svc)
	}
	if pending := pendingAddress(services, ingresses); pending.missing != "" {
		return pending, nil
	}
	hosts, created := userHosts(services, ingresses)
	if obs.ProxyURL == "" || len(hosts) == 0 {
		return reach{}, nil
	}
	for _, host := range hosts {
		if t.isUnknownToDNS(ctx, host) {
			return reach{"DNS does not know " + host, true, created}, nil
		}
	}
	return reach{obs.URL + " does not accept connections from here", false, created}, nil
}

// isUnknownToDNS reports whether a name does not exist. A resolver that can't tell
// decides nothing.
func (t *Target) isUnknownToDNS(ctx context.Context, host string) bool {
	if net.ParseIP(host) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, err := t.cfg.LookupHost(ctx, host)
	var unknown *net.DNSError
	return errors.As(err, &unknown) && unknown.IsNotFound
}

// awaitUsers waits until users reach the service by its own address, for as long as
// what leads them is new. If they still don't, that is in the observation. A rollback
// does not wait: what is new goes with the release that brought it.
func (t *Target) awaitUsers(ctx context.Context, o port.DeployRequest, report func(string)) (port.Observation, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Observation{}, err
	}
	for reported := ""; ; {
		obs, r, err := t.observe(ctx, o.Service, o.Environment)
		if err != nil || r.missing == "" || o.Rollback || c.Now().Sub(r.created) > addressTimeout {
			return obs, err
		}
		if report != nil && r.missing != reported {
			reported = r.missing
			report("waiting for users' own address: " + r.missing)
		}
		if err := wait.Sleep(ctx, addressInterval); err != nil {
			return obs, waitEnded(ctx, "wait for users' own address: "+r.missing, err)
		}
	}
}
