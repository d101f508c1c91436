package port

import "context"

// MetricsProvider evaluates queries over time series.
type MetricsProvider interface {
	// Query evaluates an expression now. An expression without a value (no such
	// series, NaN) is ok == false: never a pass. More than one value is
	// fault.Invalid; a server that does not respond is fault.Unavailable.
	Query(ctx context.Context, address, expression string) (value float64, ok bool, err error)
}
