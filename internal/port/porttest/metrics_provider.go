package porttest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MetricsProviderFixture is something that answers queries, and expressions for each
// sort of answer.
type MetricsProviderFixture struct {
	Metrics   port.MetricsProvider
	Address   string
	One       string // gives 0.25
	None      string // gives no series
	NaN       string // gives one that is not a number
	Many      string // gives two
	Bad       string // is no expression
	ErrorText string // what the server says about Bad
	Stop      func() // nobody answers any more
}

// TestMetricsProvider proves what port.MetricsProvider promises.
func TestMetricsProvider(t *testing.T, open func(*testing.T) MetricsProviderFixture) {
	t.Run("one value", func(t *testing.T) {
		f := open(t)
		if v, ok, err := f.Metrics.Query(t.Context(), f.Address, f.One); v != 0.25 || !ok || err != nil {
			t.Errorf("%g, %v, %v", v, ok, err)
		}
	})
	t.Run("no value is never a pass", func(t *testing.T) {
		f := open(t)
		for _, expression := range []string{f.None, f.NaN} {
			if v, ok, err := f.Metrics.Query(t.Context(), f.Address, expression); v != 0 || ok || err != nil {
				t.Errorf("%s: %g, %v, %v", expression, v, ok, err)
			}
		}
	})
	t.Run("more than one value is invalid", func(t *testing.T) {
		f := open(t)
		if _, ok, err := f.Metrics.Query(t.Context(), f.Address, f.Many); ok || !fault.Is(err, fault.Invalid) {
			t.Errorf("%v, %v", ok, err)
		}
	})
	t.Run("no expression is invalid, and the server says why", func(t *testing.T) {
		f := open(t)
		_, ok, err := f.Metrics.Query(t.Context(), f.Address, f.Bad)
		if ok || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), f.ErrorText) {
			t.Errorf("%v, %v", ok, err)
		}
	})
	t.Run("no server is unavailable", func(t *testing.T) {
		f := open(t)
		f.Stop()
		if _, ok, err := f.Metrics.Query(t.Context(), f.Address, f.One); ok || !fault.Is(err, fault.Unavailable) {
			t.Errorf("%v, %v", ok, err)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		f := open(t)
		stop := errors.New("stopped by a person")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		if _, ok, err := f.Metrics.Query(ctx, f.Address, f.One); ok || !errors.Is(err, stop) {
			t.Errorf("%v, %v", ok, err)
		}
	})
}
