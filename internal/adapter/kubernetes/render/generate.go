package render

import (
	"strconv"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// defaultPort is the port of a service without manifests, unless it sets one.
const defaultPort = 8000

func httpPort(w delivery.Workload) int64 {
	if w.Port > 0 {
		return int64(w.Port)
	}
	return defaultPort
}

// terminationMargin is the time between the end of draining and SIGKILL.
const terminationMargin = 5 * time.Second

// defaultObjects returns the objects of a service that has no manifests.
func defaultObjects(m port.Manifests) []object {
	location := "(generated from the configuration)"
	return []object{{defaultDeployment(m), location}, {defaultService(m), location}}
}

func defaultDeployment(m port.Manifests) map[string]any {
	selector := map[string]any{labels.Name: m.Service}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": m.Service, "labels": deepCopy(selector)},
		"spec": map[string]any{
			"replicas": int64(max(1, m.Workload.Replicas)),
			"selector": map[string]any{"matchLabels": deepCopy(selector)},
			// All at once, so that the old pods receive no requests any more when
			// they terminate.
			"strategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "100%", "maxUnavailable": int64(0)}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": deepCopy(selector)},
				"spec": map[string]any{
					"containers":                    []any{defaultContainer(m)},
					"terminationGracePeriodSeconds": int64((m.Workload.Drain.D() + terminationMargin + time.Second - 1) / time.Second),
					"securityContext":               map[string]any{"runAsNonRoot": true, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
					"volumes":                       []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{}}},
				},
			},
		},
	}
}

func defaultContainer(m port.Manifests) map[string]any {
	w := m.Workload
	return map[string]any{
		"name": m.Service, "image": m.Image.Repository,
		"ports":           []any{map[string]any{"name": "http", "containerPort": httpPort(w)}},
		"env":             []any{map[string]any{"name": "PORT", "value": strconv.FormatInt(httpPort(w), 10)}},
		"volumeMounts":    []any{map[string]any{"name": "tmp", "mountPath": "/tmp"}},
		"securityContext": restrictedSecurityContext(map[string]any{"readOnlyRootFilesystem": !w.Writable}),
		// A service may load its model before it listens: it has two minutes for
		// that. Once it listens, the readiness probe applies.
		"startupProbe":   defaultProbe("", 1, 120),
		"readinessProbe": defaultProbe(readinessPath(w), 2, 2),
		// A slow service is not a dead one: only half a minute without a response is.
		"livenessProbe": defaultProbe(w.Health, 10, 3),
	}
}

func readinessPath(w delivery.Workload) string {
	if w.Ready != "" {
		return w.Ready
	}
	return w.Health
}

// defaultProbe probes a path at an interval of seconds, or the port if path is empty.
func defaultProbe(path string, seconds, failures int64) map[string]any {
	p := map[string]any{"periodSeconds": seconds, "timeoutSeconds": min(seconds, 5), "failureThreshold": failures}
	if path == "" {
		p["tcpSocket"] = map[string]any{"port": "http"}
		return p
	}
	p["httpGet"] = map[string]any{"path": path, "port": "http"}
	return p
}

func defaultService(m port.Manifests) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": m.Service, "labels": map[string]any{labels.Name: m.Service}},
		"spec": map[string]any{
			"type":     "ClusterIP",
			"selector": map[string]any{labels.Name: m.Service},
			"ports":    []any{map[string]any{"name": "http", "port": int64(80), "targetPort": "http"}},
		},
	}
}
