package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

func TestEndpointsOfIngress(t *testing.T) {
	const lb = "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}"
	for _, c := range []struct{ name, text, url, host string }{
		{"HTTP", "{spec: {rules: [{host: api.test}]}, " + lb + "}", "http://api.test", "api.test:80"},
		{"TLS", "{spec: {tls: [{hosts: [api.test]}], rules: [{host: api.test}]}, " + lb + "}", "https://api.test", "api.test:443"},
		{"no controller", "{spec: {rules: [{host: api.test}]}}", "", ""},
		{"any host", "{spec: {rules: [{host: ''}, {host: '*.test'}]}, " + lb + "}", "http://192.0.2.1", "192.0.2.1:80"},
		{"any name", "{spec: {rules: [{host: '*.test'}]}, " + lb + "}", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := endpointsOfIngress(fakeapi.As[networkingv1.Ingress](t, c.text))
			if (len(got) > 0) != (c.url != "") || len(got) > 0 && got[0] != (endpoint{c.url, c.host}) {
				t.Errorf("endpoints = %v, want %s", got, c.url)
			}
		})
	}
}

// TestEndpoints_Order: those of users first.
func TestEndpoints_Order(t *testing.T) {
	server := fakeapi.New(t)
	server.Put("/apis/networking.k8s.io/v1/namespaces/ns/ingresses/api", fakeapi.Object(t, `{apiVersion: networking.k8s.io/v1, kind: Ingress,
		metadata: {name: api, labels: {slipway.dev/service: api, slipway.dev/environment: prod}}, spec: {rules: [{host: api.test}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}`))
	pods := []corev1.Pod{
		fakeapi.As[corev1.Pod](t, "{status: {hostIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}}"),
		fakeapi.As[corev1.Pod](t, "{metadata: {labels: {app: api}}, spec: {containers: [{name: api, readinessProbe: {httpGet: {port: 8000}}}]}, status: {hostIP: 10.0.0.2, conditions: [{type: Ready, status: 'True'}]}}"),
	}
	for _, c := range []struct {
		name, text string
		want       string
	}{
		{"all", "{spec: {ports: [{port: 80, nodePort: 30080}]}, status: {loadBalancer: {ingress: [{hostname: lb.test}, {ip: '2001:db8::1'}, {}]}}}",
			"http://api.test http://lb.test:80 http://[2001:db8::1]:80 http://10.0.0.2:30080"},
		{"in the cluster only", "{spec: {ports: [{port: 80}]}}", "http://api.test"},
		{"no port", "{spec: {}}", ""},
		{"the port that is probed", "{spec: {selector: {app: api}, ports: [{port: 9000, nodePort: 30900}, {port: 80, targetPort: 8000, nodePort: 30080}]}}", "http://api.test http://10.0.0.2:30080"},
		{"the port named http", "{spec: {ports: [{name: admin, port: 9000, nodePort: 30900}, {name: http, port: 80, nodePort: 30080}]}}", "http://api.test http://10.0.0.2:30080"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ingresses, err := listIngresses(t.Context(), server.Client(), "api", "prod")
			if err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, e := range endpoints(fakeapi.As[corev1.Service](t, c.text), ingressEndpoints(ingresses), pods) {
				urls = append(urls, e.url)
			}
			if diff := cmp.Diff(c.want, strings.Join(urls, " ")); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}
