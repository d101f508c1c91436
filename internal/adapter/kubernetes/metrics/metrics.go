// Package metrics measures the traffic of releases from the metrics of their pods.
package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/promtext"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Collector reads the metrics of pods and keeps where measuring windows began. Safe
// for concurrent use.
type Collector struct {
	pool *portforward.Pool

	mu        sync.Mutex
	baselines map[string]baseline // by the window's key
}

// baseline is what pods had counted when a window began. Counters only grow, so a
// window is a difference. It is kept in memory: a window that another process began
// is counted from the first look of this one.
type baseline struct {
	since   time.Time
	samples map[string]port.Sample // by pod
}

// NewCollector returns a collector that reaches pods through pool, and closes it.
func NewCollector(pool *portforward.Pool) *Collector {
	return &Collector{pool: pool, baselines: map[string]baseline{}}
}

// Close ends the connections to pods.
func (c *Collector) Close() { c.pool.Close() }

// Window returns the requests of the endpoints since then, in the window of that key.
func (c *Collector) Window(ctx context.Context, key string, endpoints []Endpoint, since time.Time) (port.Sample, error) {
	samples, err := c.scrapeAll(ctx, endpoints)
	if err != nil {
		return port.Sample{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	base, ok := c.baselines[key]
	if !ok || !base.since.Equal(since) {
		base = baseline{since, samples}
		c.baselines[key] = base
	}
	var differences []port.Sample
	for pod, s := range samples {
		differences = append(differences, promtext.Sub(s, base.samples[pod])) // a pod that came later counts from its start
	}
	return promtext.Add(differences...), nil
}

func (c *Collector) scrapeAll(ctx context.Context, endpoints []Endpoint) (map[string]port.Sample, error) {
	samples := map[string]port.Sample{}
	for _, e := range endpoints {
		s, err := scrape(ctx, c.pool, e)
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, err
		case err != nil:
			return nil, fault.New(fault.Unavailable, "read the metrics of pod %s", e.Pod.Name).Cause(err)
		}
		samples[e.Pod.Name] = s
	}
	return samples, nil
}
