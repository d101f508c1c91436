package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestReachOf: what users were given an address by has one, and DNS knows it. What is not
// reachable from here may be so from elsewhere.
func TestReachOf(t *testing.T) {
	const (
		ingressMeta = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {rules: [{host: api.test}]}"
		address     = ", status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}"
		balancer    = "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {type: LoadBalancer, ports: [{port: 80, nodePort: 30080}]}"
		internal    = "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {type: ClusterIP, ports: [{port: 80}]}}"
	)
	unknown := &net.DNSError{IsNotFound: true, Name: "api.test"}
	for _, c := range []struct {
		name, service, ingress string
		proxy                  bool // no address was reachable from here
		lookup                 error
		missing                string
		certain                bool
	}{
		{"internal", internal, "", true, unknown, "", false},
		{"load balancer without an address", balancer + "}", "", false, nil, "Service api has no load balancer", true},
		{"load balancer", balancer + address, "", false, unknown, "", false},
		{"load balancer that refuses", balancer + address, "", true, nil, "does not accept connections from here", false},
		{"Ingress without a controller", internal, ingressMeta + "}", true, nil, "Ingress web has no address", true},
		{"Ingress that DNS does not know", internal, ingressMeta + address, true, unknown, "DNS does not know api.test", true},
		{"DNS that can't tell", internal, ingressMeta + address, true, errors.New("timeout"), "does not accept connections from here", false},
		{"Ingress", internal, ingressMeta + address, false, nil, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := New(Config{LookupHost: func(context.Context, string) ([]string, error) { return nil, c.lookup }})
			var ingresses []networkingv1.Ingress
			if c.ingress != "" {
				ingresses = append(ingresses, fakeapi.As[networkingv1.Ingress](t, c.ingress))
			}
			obs := port.Observation{URL: "http://users"}
			if c.proxy {
				obs.ProxyURL = "http://127.0.0.1:1"
			}
			got, err := target.reachOf(t.Context(), []*unstructured.Unstructured{fakeapi.Object(t, c.service)}, ingresses, obs)
			if err != nil || got.certain != c.certain || (got.missing == "") != (c.missing == "") || !strings.Contains(got.missing, c.missing) {
				t.Errorf("reach = %+v, %v, want %q, certain: %t", got, err, c.missing, c.certain)
			}
		})
	}
}

// TestAwaitUsers_OnlyWhileNew: an old load balancer without an address delays nothing, nor
// does a rollback; a new one is waited for, with its reason.
func TestAwaitUsers_OnlyWhileNew(t *testing.T) {
	balancer := func(created time.Time) *fakeapi.Server {
		server := fakeapi.New(t)
		server.Put(servicesPath+"api", fakeapi.Object(t, fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: api, creationTimestamp: %q,
			labels: {slipway.dev/service: api, slipway.dev/environment: prod}, annotations: {slipway.dev/release: r-1, slipway.dev/fence: "1.1"}},
			spec: {type: LoadBalancer, selector: {slipway.dev/release: r-1}, ports: [{port: 80}]}}`, created.Format(time.RFC3339))))
		return server
	}
	o := port.DeployRequest{Service: "api", Environment: "prod", ID: "r-1"}
	await := func(server *fakeapi.Server, o port.DeployRequest) (obs port.Observation, said []string, err error) {
		target := New(Config{})
		target.conn = server.Client()
		t.Cleanup(func() { _ = target.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		obs, err = target.awaitUsers(ctx, o, func(text string) { said = append(said, text) })
		return obs, said, err
	}
	obs, said, err := await(balancer(time.Now().Add(-addressTimeout-time.Minute)), o)
	if err != nil || len(said) > 0 || obs.Unreachable != "Service api has no load balancer" {
		t.Errorf("old load balancer: unreachable %q, said %q, %v, want the reason at once", obs.Unreachable, said, err)
	}
	back := o
	back.Rollback = true
	if _, said, err := await(balancer(time.Now()), back); err != nil || len(said) > 0 {
		t.Errorf("rollback: said %q, %v, want no wait", said, err)
	}
	_, said, err = await(balancer(time.Now()), o)
	if !errors.Is(err, context.DeadlineExceeded) || len(said) != 1 || !strings.Contains(said[0], "Service api has no load balancer") {
		t.Errorf("new load balancer: said %q, %v, want one line, and a wait", said, err)
	}
}
