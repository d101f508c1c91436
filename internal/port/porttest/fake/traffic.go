package fake

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var (
	_ port.TrafficSplitter = (*Target)(nil)
	_ port.MetricsComparer = (*Target)(nil)
	_ port.Finalizer       = (*Target)(nil)
)

// WithoutMetrics is a target that shifts traffic and does not measure it.
type WithoutMetrics struct {
	port.Target
	port.TrafficSplitter
}

// SetWeight gives a staged release percent of the traffic, or what ActualWeight returns.
func (t *Target) SetWeight(ctx context.Context, o port.DeployRequest, percent int, _ func(string)) (float64, error) {
	leave, err := t.enter("SetWeight", o.ID)
	defer leave()
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	s := t.scene(o.Environment)
	_, staged := s.running[o.ID]
	switch {
	case percent < 1 || percent > 99:
		return 0, fault.New(fault.Invalid, "shift %d %% of the traffic", percent)
	case !staged:
		return 0, fault.New(fault.Conflict, "release %s is not staged", o.ID)
	case s.serving == "" || s.serving == o.ID:
		return 0, fault.New(fault.Conflict, "no other release serves traffic next to %s", o.ID)
	}
	s.weights[o.ID] = percent
	if t.ActualWeight != nil {
		return t.ActualWeight(percent), nil
	}
	return float64(percent), nil
}

// Compare returns what Samples returns.
func (t *Target) Compare(ctx context.Context, o port.DeployRequest, since time.Time) (candidate, running port.Sample, err error) {
	leave, err := t.enter("Compare", o.ID)
	defer leave()
	if err != nil || t.Samples == nil {
		return port.Sample{}, port.Sample{}, err
	}
	if ctx.Err() != nil {
		return port.Sample{}, port.Sample{}, context.Cause(ctx)
	}
	candidate, running = t.Samples(o.ID, since)
	return candidate, running, nil
}

// Finalize stops what Promote kept.
func (t *Target) Finalize(_ context.Context, o port.DeployRequest, _ func(string)) error {
	leave, err := t.enter("Finalize", o.ID)
	defer leave()
	if err != nil {
		return err
	}
	s := t.scene(o.Environment)
	for id := range s.kept {
		if id != s.serving {
			delete(s.running, id)
		}
	}
	clear(s.kept)
	return nil
}

// Weight returns the percentage of the traffic that was requested for a staged
// release; 0 for none.
func (t *Target) Weight(env delivery.Environment, id delivery.ReleaseID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.scene(env).weights[id]
}
