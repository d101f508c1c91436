package alarm

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

const (
	probeTimeout   = 5 * time.Second
	publishTimeout = 5 * time.Second // the bake waits for it
)

// Probes send requests of our own while a release bakes, and publish how it answered:
// for services without metrics of their own. Nil Probes send none.
type Probes struct {
	meter   port.Meter
	prober  port.Prober
	params  step.SyntheticParams
	request step.Request
	clock   step.Clock

	pending     []port.Measurement
	publishedAt time.Time
	said        bool
}

// NewProbes returns the probes of a step; nil: the environment's alarms need none.
func NewProbes(monitors step.Monitors, prober port.Prober, params *step.AlarmParams, r step.Request, clock step.Clock) (*Probes, error) {
	if params == nil || params.Synthetic == nil {
		return nil, nil //nolint:nilnil // no probes
	}
	_, meter, err := monitors(params.At)
	if err != nil {
		return nil, err
	}
	return &Probes{meter: meter, prober: prober, params: *params.Synthetic, request: r, clock: clock, publishedAt: clock.Now()}, nil
}

// Probe sends one request to the service, and publishes what was measured once per
// Interval, or now if last is set. What can't be published is said once: then the alarm
// has no data, which is its verdict.
func (p *Probes) Probe(ctx context.Context, address string, last bool) {
	if p == nil {
		return
	}
	now := p.clock.Now()
	res, err := p.prober.Probe(ctx, port.ProbeRequest{Method: http.MethodGet, URL: strings.TrimSuffix(address, "/") + p.params.Path, Timeout: probeTimeout})
	failed := 0.0
	if err != nil || res.Status >= http.StatusInternalServerError {
		failed = 1
	}
	p.add(now, step.ProbeRequests, 1, "Count")
	p.add(now, step.ProbeErrors, failed, "Count")
	if err == nil {
		p.add(now, step.ProbeLatency, float64(res.Latency.Microseconds())/1000, "Milliseconds")
	}
	if !last && now.Sub(p.publishedAt) < Interval {
		return
	}
	batch := p.pending
	p.pending, p.publishedAt = nil, now
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := p.meter.Publish(ctx, batch); err != nil && !p.said {
		p.said = true
		p.request.Logf("the metrics of Slipway's probes could not be published: %v", err)
	}
}

func (p *Probes) add(at time.Time, metric string, value float64, unit string) {
	p.pending = append(p.pending, port.Measurement{Metric: metric, Value: value, Unit: unit, Time: at, Fine: true, Dimensions: p.params.Dimensions})
}
