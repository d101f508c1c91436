package rollout

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

// pod is one of a service, with several ports and a container beside it.
const pod = "{metadata: {labels: {app: api, slipway.dev/release: r-2}}, spec: {containers: [{name: side, ports: [{name: metrics, containerPort: 9100}]}, {name: api, ports: [{name: web, containerPort: 8000}, {name: admin, containerPort: 9000}]PROBE}]}}"

func TestPortOf(t *testing.T) {
	for _, c := range []struct {
		name, selector, ports, probe string
		want                         int
	}{
		{"by its name", "{app: api}", "[{port: 80, targetPort: web}]", "", 8000},
		{"another name", "{app: api}", "[{port: 80, targetPort: admin}]", "", 9000},
		{"a name that no container declares", "{app: api}", "[{port: 80, targetPort: nothing}]", "", 0},
		{"a number", "{app: api}", "[{port: 80, targetPort: 8080}]", "", 8080},
		{"no target", "{app: api}", "[{port: 80}]", "", 80},
		{"no ports", "{app: api}", "[]", "", 0},
		{"the first of several", "{app: api}", "[{name: a, port: 1, targetPort: admin}, {name: b, port: 2, targetPort: web}]", "", 9000},
		{"the one named http", "{app: api}", "[{name: a, port: 1, targetPort: admin}, {name: http, port: 2, targetPort: web}]", "", 8000},
		{"the one named http-", "{app: api}", "[{name: a, port: 1, targetPort: admin}, {name: http-api, port: 2, targetPort: web}]", "", 8000},
		{"the one that is probed", "{app: api}", "[{name: http, port: 1, targetPort: admin}, {name: b, port: 2, targetPort: web}]", ", readinessProbe: {httpGet: {port: web}}", 8000},
		{"probed by its number", "{app: api}", "[{name: a, port: 1, targetPort: admin}, {name: b, port: 2, targetPort: web}]", ", readinessProbe: {tcpSocket: {port: 8000}}", 8000},
		{"probed over gRPC", "{app: api}", "[{name: a, port: 1, targetPort: admin}, {name: b, port: 2, targetPort: web}]", ", readinessProbe: {grpc: {port: 8000}}", 8000},
		{"the probe requests another", "{app: api}", "[{name: a, port: 1, targetPort: admin}]", ", readinessProbe: {httpGet: {port: web}}", 9000},
		{"of the release before", "{app: api, slipway.dev/release: r-1}", "[{port: 80, targetPort: web}]", "", 8000},
		{"of other pods", "{app: worker}", "[{port: 80, targetPort: web}]", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := fakeapi.As[corev1.Pod](t, strings.Replace(pod, "PROBE", c.probe, 1))
			svc := fakeapi.Object(t, "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {selector: "+c.selector+", ports: "+c.ports+"}}")
			if got := PortOf([]*unstructured.Unstructured{svc}, p); got != c.want {
				t.Errorf("PortOf = %d, want %d", got, c.want)
			}
		})
	}
	if got := PortOf(nil, corev1.Pod{}); got != 0 {
		t.Errorf("PortOf a pod without ports = %d, want 0", got)
	}
}
