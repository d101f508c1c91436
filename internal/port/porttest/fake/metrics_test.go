package fake_test

import (
	"math"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

func TestMetrics(t *testing.T) {
	porttest.TestMetricsProvider(t, func(*testing.T) porttest.MetricsProviderFixture {
		m := &fake.MetricsProvider{Values: func(expression string) []float64 {
			return map[string][]float64{"one": {0.25}, "nan": {math.NaN()}, "many": {1, 2}}[expression]
		}}
		m.Fail = func(expression string) error {
			if strings.HasSuffix(expression, "(") {
				return fault.New(fault.Invalid, "query %q: unclosed left parenthesis", expression)
			}
			return nil
		}
		return porttest.MetricsProviderFixture{
			Metrics: m, Address: "http://prometheus.example",
			One: "one", None: "none", NaN: "nan", Many: "many", Bad: "rate(", ErrorText: "unclosed left parenthesis",
			Stop: func() {
				m.Fail = func(string) error { return fault.New(fault.Unavailable, "connection refused") }
			},
		}
	})
}
