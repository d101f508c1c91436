package promtext

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/slipway-cd/slipway/internal/fault"
)

func codeLabels() []string {
	return []string{"code", "status", "status_code", "http_status", "http_status_code", "http_response_status_code"}
}

func pathLabels() []string {
	return []string{"path", "route", "handler", "endpoint", "url", "http_route", "uri"}
}

// selector selects the metric families.
type selector struct {
	families      map[string]*dto.MetricFamily
	declaredTypes map[string]string // by family name
	names         MetricNames
}

// selectRequests returns the family that counts requests. A declared family without
// series yet is empty.
func (f selector) selectRequests() (family, error) {
	if f.names.Requests != "" {
		return f.namedRequests(f.names.Requests)
	}
	counters := f.candidates(dto.MetricType_COUNTER, isRequestsName, true)
	if len(counters) == 0 {
		counters = f.candidates(dto.MetricType_HISTOGRAM, isLatencyName, true)
	}
	switch best := bestRanked(counters); {
	case len(best) == 1:
		return best[0], nil
	case len(best) > 1:
		return family{}, fault.New(fault.Unavailable, "several of the service's metrics count requests: %s", joinNames(best)).
			Hint("count them in one metric: http_requests_total{path,code}")
	}
	return family{}, fault.New(fault.Unavailable, "the service's metrics do not count requests by status; found: %s", f.familyNames()).
		Hint("count them as http_requests_total{path,code}")
}

func (f selector) namedRequests(name string) (family, error) {
	mf, exists := f.families[name]
	if !exists {
		if _, declared := f.declaredTypes[name]; declared {
			return family{}, nil
		}
		return family{}, fault.New(fault.Unavailable, "the service's metrics have no %s; found: %s", name, f.familyNames())
	}
	if t := mf.GetType(); t != dto.MetricType_COUNTER && t != dto.MetricType_UNTYPED && t != dto.MetricType_HISTOGRAM {
		return family{}, fault.New(fault.Unavailable, "%s of the service's metrics is a %s, not a counter", name, strings.ToLower(t.String()))
	}
	found := f.withLabels(name, mf)
	if found.codeLabel == "" {
		return family{}, fault.New(fault.Unavailable, "%s of the service's metrics has no status label", name).
			Hint("known labels: %s", strings.Join(codeLabels(), ", "))
	}
	return found, nil
}

// selectLatency returns the latency histogram that matches the request counter, if
// one can be trusted.
func (f selector) selectLatency(requests family) (family, bool) {
	if f.names.Latency != "" {
		mf, found := f.families[f.names.Latency]
		return f.withLabels(f.names.Latency, mf), found && mf.GetType() == dto.MetricType_HISTOGRAM
	}
	histograms := f.candidates(dto.MetricType_HISTOGRAM, isLatencyName, false)
	best := bestRanked(histograms)
	if len(best) != 1 || best[0].pathLabel == "" && requests.pathLabel != "" {
		return family{}, false
	}
	return best[0], true
}

// candidates returns the families with that type and a matching name. A family
// without series yet counts as one with all labels: once it has series, it must not
// replace another family that was read before.
func (f selector) candidates(kind dto.MetricType, matches func(string) bool, needsCode bool) (found []family) {
	for name, mf := range f.families {
		if mf.GetType() != kind || !matches(name) {
			continue
		}
		if candidate := f.withLabels(name, mf); !needsCode || candidate.codeLabel != "" {
			found = append(found, candidate)
		}
	}
	for name, t := range f.declaredTypes {
		if _, hasSeries := f.families[name]; !hasSeries && t == strings.ToLower(kind.String()) && matches(name) {
			found = append(found, family{name: name, codeLabel: codeLabels()[0], pathLabel: pathLabels()[0]})
		}
	}
	return found
}

func isRequestsName(name string) bool { return strings.HasSuffix(name, "requests_total") }

func isLatencyName(name string) bool {
	return strings.Contains(name, "request_duration_seconds") || strings.Contains(name, "latency_seconds")
}

func (f selector) withLabels(name string, mf *dto.MetricFamily) family {
	found := family{MetricFamily: mf, name: name}
	present := map[string]bool{}
	for _, m := range mf.GetMetric() {
		for _, l := range m.GetLabel() {
			present[l.GetName()] = true
		}
	}
	found.codeLabel = chooseLabel(present, f.names.CodeLabel, codeLabels())
	found.pathLabel = chooseLabel(present, f.names.PathLabel, pathLabels())
	return found
}

func chooseLabel(present map[string]bool, named string, known []string) string {
	if named != "" {
		known = []string{named}
	}
	for _, label := range known {
		if present[label] {
			return label
		}
	}
	return ""
}

// bestRanked returns the families with the best rank: more than one is a tie.
func bestRanked(families []family) []family {
	var best []family
	bestRank := -1
	for _, f := range families {
		switch r := rank(f); {
		case bestRank < 0 || r < bestRank:
			best, bestRank = []family{f}, r
		case r == bestRank:
			best = append(best, f)
		}
	}
	return best
}

// rank returns how unlikely a family is to be the right one; 0 is the best.
func rank(f family) int {
	r := 2
	for _, name := range []string{"http_requests_total", "http_request_duration_seconds"} {
		switch {
		case f.name == name:
			r = 0
		case strings.HasSuffix(f.name, "_"+name):
			r = min(r, 1)
		}
	}
	if f.pathLabel == "" {
		r += 3
	}
	return r
}

func joinNames(families []family) string {
	var names []string
	for _, f := range families {
		names = append(names, f.name)
	}
	return fault.Enumerate(names)
}

// familyNames lists the names of all families, for messages.
func (f selector) familyNames() string {
	names := slices.Collect(maps.Keys(f.families))
	if len(names) == 0 {
		return "none"
	}
	for i, name := range names {
		if len(name) > 80 {
			names[i] = fmt.Sprintf("%.80s...", name)
		}
	}
	return fault.Enumerate(names)
}
