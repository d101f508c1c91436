package fake

import (
	"context"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

var (
	_ port.Shifter  = (*Target)(nil)
	_ port.Comparer = (*Target)(nil)
	_ port.Settler  = (*Target)(nil)
)

// Uncompared is a target that shifts traffic and does not measure it.
type Uncompared struct {
	port.Target
	port.Shifter
}

// Shift gives a staged release a part of the traffic, as much as Share says.
func (t *Target) Shift(ctx context.Context, o port.Order, percent int, _ func(string)) (float64, error) {
	leave, err := t.enter("Shift", o.ID)
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
		return 0, fault.New(fault.Conflict, "nothing serves beside %s", o.ID)
	}
	s.shifted[o.ID] = percent
	if t.Share != nil {
		return t.Share(percent), nil
	}
	return float64(percent), nil
}

// Compare answers what Samples says.
func (t *Target) Compare(ctx context.Context, o port.Order, since time.Time) (candidate, running port.Sample, err error) {
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

// Settle lets go of what Promote kept.
func (t *Target) Settle(_ context.Context, o port.Order, _ func(string)) error {
	leave, err := t.enter("Settle", o.ID)
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

// Shifted is the share of the traffic, in percent, that was asked for a staged
// release; 0 for none.
func (t *Target) Shifted(env delivery.Environment, id delivery.ReleaseID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.scene(env).shifted[id]
}
