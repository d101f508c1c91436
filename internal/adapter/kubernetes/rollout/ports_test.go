package rollout

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/fakeapi"
)

func TestTargetPort(t *testing.T) {
	pod := fakeapi.As[corev1.Pod](t, "{spec: {containers: [{name: side}, {name: api, ports: [{name: http, containerPort: 8000}, {name: admin, containerPort: 9000}]}]}}")
	for _, c := range []struct {
		ports string
		want  int
	}{
		{"[{port: 80, targetPort: http}]", 8000},
		{"[{port: 80, targetPort: admin}]", 9000},
		{"[{port: 80, targetPort: nothing}]", 0},
		{"[{port: 80, targetPort: 8080}]", 8080},
		{"[{port: 80}]", 80},
		{"[]", 0},
	} {
		svc := fakeapi.Object(t, "{apiVersion: v1, kind: Service, metadata: {name: api}, spec: {ports: "+c.ports+"}}")
		t.Run(c.ports, func(t *testing.T) {
			if got := targetPort(svc, pod); got != c.want {
				t.Errorf("targetPort = %d, want %d", got, c.want)
			}
		})
	}
	if got := PortOf(nil, corev1.Pod{}); got != 0 {
		t.Errorf("PortOf a pod without ports = %d, want 0", got)
	}
}
