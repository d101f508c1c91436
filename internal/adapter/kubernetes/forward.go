package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/readiness"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// addressKey identifies a release in an environment; with an empty id it is a prefix of
// the keys of all releases.
func addressKey(service string, env delivery.Environment, id delivery.ReleaseID) string {
	return service + "/" + string(env) + "/" + string(id)
}

// forward returns a local address through which, via the API server, the pods of a
// release are reached; an empty id: those that the Services select. It stays the same
// for as long as the process lives. The release's own Services give its port while
// there are no live ones.
func (t *Target) forward(c *client.Client, service string, env delivery.Environment, id delivery.ReleaseID, own []*unstructured.Unstructured) (string, error) {
	pick := func(ctx context.Context) (string, int, error) { return pickPod(ctx, c, service, env, id, own) }
	if id != "" { // what a Service selects must be looked up each time: it is what is to be found out
		pick = portforward.Cached(pick)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := addressKey(service, env, id)
	if f, ok := t.forwarders[key]; ok {
		return f.URL(), nil
	}
	f, err := portforward.Listen(portforward.NewPool(c), pick)
	if err != nil {
		return "", fault.New(fault.Unavailable, "listen on a local port for %s", service).Cause(err)
	}
	t.forwarders[key] = f
	return f.URL(), nil
}

// closeForward ends the address of the request's release; without a release, all
// addresses of the service.
func (t *Target) closeForward(o port.DeployRequest) {
	prefix := addressKey(o.Service, o.Environment, o.ID)
	var closing []*portforward.Forwarder
	t.mu.Lock()
	for key, f := range t.forwarders {
		if key == prefix || o.ID == "" && strings.HasPrefix(key, prefix) {
			closing = append(closing, f)
			delete(t.forwarders, key)
		}
	}
	t.mu.Unlock()
	for _, f := range closing {
		f.Close()
	}
}

var errNoReadyPod = errors.New("no pod is ready")

// pickPod chooses a ready pod at random, as a Service does.
func pickPod(ctx context.Context, c *client.Client, service string, env delivery.Environment, id delivery.ReleaseID, own []*unstructured.Unstructured) (string, int, error) {
	s, err := rollout.Read(ctx, c, service, env)
	if err != nil {
		return "", 0, err
	}
	pods, err := rollout.ListPods(ctx, c, service)
	if err != nil {
		return "", 0, err
	}
	services := append(own, s.Services...)
	var ready []corev1.Pod
	for _, pod := range pods {
		if readiness.PodReady(&pod) && (id == "" && rollout.Selects(s.Services, pod) || id != "" && rollout.ReleaseOf(pod) == id && rollout.Serves(services, pod)) {
			ready = append(ready, pod)
		}
	}
	if len(ready) == 0 {
		return "", 0, errNoReadyPod
	}
	pod := ready[rand.IntN(len(ready))] //nolint:gosec // which pod serves a request is no secret
	if number := rollout.PortOf(services, pod); number != 0 {
		return pod.Name, number, nil
	}
	return "", 0, fmt.Errorf("no container of pod %s declares a port that a Service leads to", pod.Name)
}
