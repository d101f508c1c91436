package canary

import (
	"context"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// stubborn is how many looks in a row a query must be out of its bounds to stop
// the canary before the end: one value may be a spike.
const stubborn = 3

// ask asks the queries. The error is that of the one named.
func (b *bake) ask(ctx context.Context, v *view, last bool) (string, error) {
	for i, q := range b.queries {
		value, ok, err := b.Metrics.Query(ctx, b.w.Prometheus, q.expression)
		if err != nil {
			return q.Name, err
		}
		f := q.hold(value, ok)
		if f.verdict == delivery.Failed {
			b.over[i]++
		} else {
			b.over[i] = 0
		}
		if last || b.over[i] >= stubborn {
			v.add(f)
		}
		v.progress += fmt.Sprintf("; %s: %s", q.Name, f.evidence)
	}
	return "", nil
}

func (q query) hold(value float64, ok bool) finding {
	f := finding{gate: q.Name, verdict: delivery.Passed, evidence: fmt.Sprintf("%.4g", value)}
	switch {
	case !ok:
		f.verdict, f.weighs, f.evidence = delivery.Unavailable, true, q.Name+" gives no value"
	case q.Min != nil && !(value >= *q.Min):
		f.verdict, f.evidence = delivery.Failed, fmt.Sprintf("%.4g is below %g", value, *q.Min)
	case q.Max != nil && !(value <= *q.Max):
		f.verdict, f.evidence = delivery.Failed, fmt.Sprintf("%.4g is above %g", value, *q.Max)
	}
	return f
}
