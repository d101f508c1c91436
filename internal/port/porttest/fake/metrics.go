package fake

import (
	"context"
	"math"
	"sync"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MetricsProvider answers queries from memory. The zero value knows no series.
type MetricsProvider struct {
	Fuse *Fuse
	// Values gives the samples of an expression; nil: none has any.
	Values func(expression string) []float64
	// Fail may refuse a query; nil: nothing fails.
	Fail func(expression string) error

	mu      sync.Mutex
	Queries []string // expressions, in order; read it when nothing runs
}

var _ port.MetricsProvider = (*MetricsProvider)(nil)

// Query evaluates an expression.
func (m *MetricsProvider) Query(ctx context.Context, _, expression string) (float64, bool, error) {
	defer m.Fuse.call()()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Queries = append(m.Queries, expression)
	if ctx.Err() != nil {
		return 0, false, context.Cause(ctx)
	}
	if m.Fail != nil {
		if err := m.Fail(expression); err != nil {
			return 0, false, err
		}
	}
	if m.Values == nil {
		return 0, false, nil
	}
	values := m.Values(expression)
	switch {
	case len(values) > 1:
		return 0, false, fault.New(fault.Invalid, "query %q gives %d values", expression, len(values))
	case len(values) == 0 || math.IsNaN(values[0]):
		return 0, false, nil
	}
	return values[0], true, nil
}
