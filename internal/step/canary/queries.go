package canary

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// minOutOfBounds is how many observations in a row a query must be out of its
// bounds to stop the canary before the end: one value may be a spike.
const minOutOfBounds = 3

// runQueries runs the queries. The error is that of the one named.
func (b *stepAnalysis) runQueries(ctx context.Context, v *observation, last bool) (string, error) {
	for i, q := range b.queries {
		value, ok, err := b.Metrics.Query(ctx, b.params.Prometheus, q.expression)
		if err != nil {
			return q.Name, err
		}
		f := q.evaluate(value, ok)
		if f.verdict == delivery.Failed {
			b.outOfBounds[i]++
		} else {
			b.outOfBounds[i] = 0
		}
		if last || b.outOfBounds[i] >= minOutOfBounds {
			v.add(f)
		}
		v.progress += fmt.Sprintf("; %s: %s", q.Name, f.evidence)
	}
	return "", nil
}

func (q query) evaluate(value float64, ok bool) finding {
	f := finding{gate: q.Name, verdict: delivery.Passed, evidence: fmt.Sprintf("%.4g", value)}
	switch {
	case !ok:
		f.verdict, f.blocking, f.evidence = delivery.Unavailable, true, q.Name+" returned no value"
	case q.Min != nil && !(value >= *q.Min):
		f.verdict, f.evidence = delivery.Failed, fmt.Sprintf("%.4g is below %g", value, *q.Min)
	case q.Max != nil && !(value <= *q.Max):
		f.verdict, f.evidence = delivery.Failed, fmt.Sprintf("%.4g is above %g", value, *q.Max)
	}
	return f
}
