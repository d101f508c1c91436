package metrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/promtext"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// path is where services export metrics by convention.
const path = "/metrics"

// scrapeTimeout is how long one pod may take.
const scrapeTimeout = 5 * time.Second

func scrape(ctx context.Context, pool *portforward.Pool, e Endpoint) (port.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := pool.Dial(ctx, e.Pod.Name, e.Port)
			if err != nil {
				return nil, err
			}
			return conn, nil
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Pod.Name+path, nil)
	if err != nil {
		return port.Sample{}, fmt.Errorf("request %s: %w", path, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return port.Sample{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return port.Sample{}, fault.New(fault.Unavailable, "%s returned %d", path, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK {
		return port.Sample{}, noMetrics(fmt.Errorf("%s returned %d", path, resp.StatusCode))
	}
	s, err := promtext.Read(resp.Body, promtext.MetricNames{}, probePaths(e.Pod))
	if fault.Is(err, fault.Unavailable) && ctx.Err() == nil {
		return s, noMetrics(err)
	}
	return s, err
}

// noMetrics means that the service does not export what it serves: trying again will
// not change that.
func noMetrics(err error) error {
	return fault.New(fault.NotFound, "the service exports no request metrics").Cause(err).
		Hint("export Prometheus metrics at %s: a counter of requests with the status code, and a histogram of their durations", path)
}

// probePaths returns the paths that users do not request.
func probePaths(pod corev1.Pod) []string {
	paths := promtext.ProbePaths(path)
	for _, c := range pod.Spec.Containers {
		for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if p != nil && p.HTTPGet != nil {
				paths = append(paths, p.HTTPGet.Path)
			}
		}
	}
	return paths
}
