package port

import (
	"context"
	"time"
)

// TrafficSplitter is a target that can give a staged release a part of the traffic.
type TrafficSplitter interface {
	// SetWeight gives the staged release about that share of the traffic (1 to 99
	// percent) and returns the share that it really got: replicas can't be cut
	// in pieces. The rest stays with the release that serves. Shifting to what is
	// so already does nothing. fault.Conflict when it is not staged, or nothing
	// serves beside it.
	SetWeight(ctx context.Context, o DeployRequest, percent int, say func(string)) (actual float64, err error)
}

// Sample is what one release answered in a window.
type Sample struct {
	Requests int64
	Errors   int64    // 5xx
	Latency  []Bucket // ascending; the last one's Le is +Inf; empty: not measured
}

// Bucket counts the requests that took at most Le seconds (cumulative).
type Bucket struct {
	Le    float64
	Count int64
}

// MetricsComparer is a target that measures releases side by side.
type MetricsComparer interface {
	// Compare returns what the order's release, and the one that serves beside
	// it, answered since then, probes not counted as far as they can be told. A
	// release without requests is an empty Sample, not an error; one whose
	// figures can't be read is fault.Unavailable.
	Compare(ctx context.Context, o DeployRequest, since time.Time) (candidate, running Sample, err error)
}

// Finalizer is a target that keeps the release before until the new one has been
// accepted, so that going back is instant.
type Finalizer interface {
	// Finalize lets go of what was kept of releases that do not serve. It is called
	// once the release has been accepted. Idempotent.
	Finalize(ctx context.Context, o DeployRequest, say func(string)) error
}

// MetricsProvider answers queries over time series.
type MetricsProvider interface {
	// Query evaluates an expression now. An expression that gives no value (no
	// such series, NaN) is ok == false: never a pass. More than one value is
	// fault.Invalid; a server that does not answer is fault.Unavailable.
	Query(ctx context.Context, address, expression string) (value float64, ok bool, err error)
}
