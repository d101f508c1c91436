// Package metrics measures the traffic of releases from the metrics of their pods.
package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/portforward"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Collector reads the metrics of pods and keeps what they counted in measuring windows.
// Safe for concurrent use.
type Collector struct {
	pool *portforward.Pool

	mu      sync.Mutex
	windows map[string]*window // by key
}

// NewCollector returns a collector that reaches pods through pool, and closes it.
func NewCollector(pool *portforward.Pool) *Collector {
	return &Collector{pool: pool, windows: map[string]*window{}}
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
	w, ok := c.windows[key]
	if !ok || !w.since.Equal(since) {
		w = newWindow(since, samples)
		c.windows[key] = w
	}
	return w.add(samples), nil
}

func (c *Collector) scrapeAll(ctx context.Context, endpoints []Endpoint) (map[counters]port.Sample, error) {
	samples := map[counters]port.Sample{}
	for _, e := range endpoints {
		s, err := scrape(ctx, c.pool, e)
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, err
		case err != nil:
			return nil, fault.New(fault.Unavailable, "read the metrics of pod %s", e.Pod.Name).Cause(err)
		}
		samples[countersOf(e.Pod)] = s
	}
	return samples, nil
}
