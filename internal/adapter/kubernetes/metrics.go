package kubernetes

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/manifest"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/metrics"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/rollout"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/quantile"
)

// Traffic sums up the requests of the release's pods, from their own metrics.
func (t *Target) Traffic(ctx context.Context, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Traffic, error) {
	c, err := t.client(ctx)
	if err != nil {
		return port.Traffic{}, err
	}
	state, err := rollout.Read(ctx, c, service, env)
	if err != nil {
		return port.Traffic{}, err
	}
	s, err := t.measure(ctx, c, services(state, nil), service, env, id, since)
	if err != nil {
		return port.Traffic{}, err
	}
	out := port.Traffic{Requests: s.Requests, Errors: s.Errors, Resets: s.Resets}
	out.P50, out.P95, out.P99 = latency(s, .5), latency(s, .95), latency(s, .99)
	return out, nil
}

// Compare measures the request's release and the current one.
func (t *Target) Compare(ctx context.Context, o port.DeployRequest, since time.Time) (candidate, current port.Sample, err error) {
	c, err := t.client(ctx)
	if err != nil {
		return candidate, current, err
	}
	state, err := rollout.Read(ctx, c, o.Service, o.Environment)
	if err != nil {
		return candidate, current, err
	}
	set, err := t.objects(ctx, c, o)
	if err != nil {
		return candidate, current, err
	}
	if candidate, err = t.measure(ctx, c, services(state, set), o.Service, o.Environment, o.ID, since); err != nil {
		return candidate, current, err
	}
	if state.Traffic != "" && state.Traffic != o.ID {
		current, err = t.measure(ctx, c, services(state, nil), o.Service, o.Environment, state.Traffic, since)
	}
	return candidate, current, err
}

// services returns the Services that lead to pods of a release: live ones, and those of
// a release that is staged.
func services(s rollout.State, staged *manifest.Set) []*unstructured.Unstructured {
	all := slices.Concat(s.Services, s.Canaries)
	if staged != nil {
		all = append(all, staged.Services...)
	}
	return all
}

// measure returns the requests of a release's ready pods since then. Pods that no
// Service leads to, such as those of a worker, get no requests and have no figures.
func (t *Target) measure(ctx context.Context, c *client.Client, leading []*unstructured.Unstructured, service string, env delivery.Environment, id delivery.ReleaseID, since time.Time) (port.Sample, error) {
	pods, err := readyPodsOf(ctx, c, service, id)
	if err != nil {
		return port.Sample{}, err
	}
	var endpoints []metrics.Endpoint
	for _, pod := range pods {
		if number := rollout.PortOf(leading, pod); number != 0 {
			endpoints = append(endpoints, metrics.Endpoint{Pod: pod, Port: number})
		}
	}
	return t.metricsCollector(c).Window(ctx, addressKey(service, env, id), endpoints, since)
}

func (t *Target) metricsCollector(c *client.Client) *metrics.Collector {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.collector == nil {
		t.collector = metrics.NewCollector(portforward.NewPool(c))
	}
	return t.collector
}

func latency(s port.Sample, q float64) time.Duration {
	seconds, _ := quantile.Buckets(s.Latency, q)
	return time.Duration(seconds * float64(time.Second))
}
