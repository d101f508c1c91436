package porttest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MetricsProviderFixture is a metrics server, and one expression for each kind of
// result.
type MetricsProviderFixture struct {
	Metrics   port.MetricsProvider
	Address   string
	One       string // gives 0.25
	None      string // gives no series
	NaN       string // gives one that is not a number
	Many      string // gives two
	Bad       string // is not an expression
	ErrorText string // in the server's error for Bad
	Stop      func() // stops the server
}

// TestMetricsProvider tests an adapter against the contract of port.MetricsProvider.
func TestMetricsProvider(t *testing.T, open func(*testing.T) MetricsProviderFixture) {
	t.Run("one value", func(t *testing.T) {
		f := open(t)
		if v, ok, err := f.Metrics.Query(t.Context(), f.Address, f.One); v != 0.25 || !ok || err != nil {
			t.Errorf("Query = %g, %v, error %v, want 0.25, true", v, ok, err)
		}
	})
	t.Run("no value is never a pass", func(t *testing.T) {
		f := open(t)
		for _, expression := range []string{f.None, f.NaN} {
			if v, ok, err := f.Metrics.Query(t.Context(), f.Address, expression); v != 0 || ok || err != nil {
				t.Errorf("Query(%q) = %g, %v, error %v, want 0, false", expression, v, ok, err)
			}
		}
	})
	t.Run("more than one value is invalid", func(t *testing.T) {
		f := open(t)
		if _, ok, err := f.Metrics.Query(t.Context(), f.Address, f.Many); ok || !fault.Is(err, fault.Invalid) {
			t.Errorf("Query = %v, error = %v, want false, kind %s", ok, err, fault.Invalid)
		}
	})
	t.Run("not an expression is invalid, with the server's reason", func(t *testing.T) {
		f := open(t)
		_, ok, err := f.Metrics.Query(t.Context(), f.Address, f.Bad)
		if ok || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), f.ErrorText) {
			t.Errorf("Query = %v, error = %v, want false, kind %s with %q", ok, err, fault.Invalid, f.ErrorText)
		}
	})
	t.Run("no server is unavailable", func(t *testing.T) {
		f := open(t)
		f.Stop()
		if _, ok, err := f.Metrics.Query(t.Context(), f.Address, f.One); ok || !fault.Is(err, fault.Unavailable) {
			t.Errorf("Query = %v, error = %v, want false, kind %s", ok, err, fault.Unavailable)
		}
	})
	t.Run("cancel", func(t *testing.T) {
		f := open(t)
		stop := errors.New("stopped by a person")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		if _, ok, err := f.Metrics.Query(ctx, f.Address, f.One); ok || !errors.Is(err, stop) {
			t.Errorf("Query = %v, error = %v, want false, %v", ok, err, stop)
		}
	})
}
