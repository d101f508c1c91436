package canary

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// Defaults.
const (
	defaultMinRequests   = 50
	defaultErrorMargin   = 0.01
	defaultLatencyMargin = 1.2
	defaultConfidence    = 0.95
)

// validate checks stored parameters. The configuration was checked with positions
// before; a plan may come from elsewhere.
func validate(w step.CanaryParams) error {
	bad := func(format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, "canary: "+format, args...)
	}
	if len(w.Steps) == 0 {
		return bad("no steps configured").Hint("for example {weight: 10, bake: 1m}")
	}
	before := 0
	for _, s := range w.Steps {
		if s.Weight <= before || s.Weight > 99 {
			return bad("a step of %d %% follows one of %d %%", s.Weight, before).Hint("weights must be ascending, from 1 to 99")
		}
		if s.Bake <= 0 {
			return bad("the step of %d %% has no bake time", s.Weight).Hint("for example bake: 1m")
		}
		before = s.Weight
	}
	switch {
	case !w.NoTraffic.Valid():
		return bad("invalid no_traffic %q", w.NoTraffic).Hint("use accept or fail")
	case w.MinRequests < 0:
		return bad("invalid min_requests %d", w.MinRequests)
	case !(w.ErrorMargin >= 0 && w.ErrorMargin < 1):
		return bad("invalid error_margin %g", w.ErrorMargin).Hint("use a fraction of the requests: 0.01 is 1 %%")
	case w.LatencyMargin != 0 && !(w.LatencyMargin >= 1 && w.LatencyMargin <= 1000):
		return bad("invalid latency_margin %g", w.LatencyMargin).Hint("use a factor: 1.2 is 20 %% slower")
	case w.Confidence != 0 && !(w.Confidence >= 0.5 && w.Confidence < 1):
		return bad("invalid confidence %g", w.Confidence).Hint("use a value from 0.5 to below 1: 0.95 is 95 %%")
	case len(w.Queries) > 0 && w.Prometheus == "":
		return bad("queries require a Prometheus address").Hint("add prometheus: http://...")
	}
	for _, q := range w.Queries {
		if q.Min == nil && q.Max == nil {
			return bad("query %q has neither min nor max", q.Name).Hint("add min, max or both")
		}
	}
	return nil
}

func withDefaults(w step.CanaryParams) step.CanaryParams {
	if w.MinRequests == 0 {
		w.MinRequests = defaultMinRequests
	}
	if w.ErrorMargin == 0 {
		w.ErrorMargin = defaultErrorMargin
	}
	if w.LatencyMargin == 0 {
		w.LatencyMargin = defaultLatencyMargin
	}
	if w.Confidence == 0 {
		w.Confidence = defaultConfidence
	}
	return w
}

// query is one with its template expanded.
type query struct {
	step.QueryParams
	expression string
}

func (t analysis) expandQueries() ([]query, error) {
	if len(t.params.Queries) > 0 && t.Metrics == nil {
		return nil, fault.New(fault.Internal, "canary: no metrics client is configured")
	}
	fields := map[string]string{
		"Release": string(t.request.ID), "Running": string(t.running), "Service": t.request.Service,
		"Environment": string(t.request.Environment), "Namespace": t.Namespace,
	}
	var queries []query
	for _, q := range t.params.Queries {
		var out bytes.Buffer
		parsed, err := template.New("query").Option("missingkey=error").Parse(q.Query)
		if err == nil {
			err = parsed.Execute(&out, fields)
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "canary: query %q", q.Name).
				Hint("available fields: %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", ")).Cause(err)
		}
		queries = append(queries, query{QueryParams: q, expression: out.String()})
	}
	return queries, nil
}
