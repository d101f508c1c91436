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

// finder picks the families.
type finder struct {
	families  map[string]*dto.MetricFamily
	announced map[string]string // types by name
	names     MetricNames
}

// requests is the family that counts them. One that is announced and has no
// series yet is empty.
func (f finder) requests() (family, error) {
	if f.names.Requests != "" {
		return f.named(f.names.Requests)
	}
	counters := f.all(dto.MetricType_COUNTER, isRequests, true)
	if len(counters) == 0 {
		counters = f.all(dto.MetricType_HISTOGRAM, isLatency, true)
	}
	switch best := foremost(counters); {
	case len(best) == 1:
		return best[0], nil
	case len(best) > 1:
		return family{}, fault.New(fault.Unavailable, "the service's metrics count requests more than once: %s", enumerate(best)).
			Hint("say which one it is")
	}
	return family{}, fault.New(fault.Unavailable, "the service's metrics count no requests by status; there is: %s", f.list()).
		Hint("count them as http_requests_total{path,code}, or say how the counter is called")
}

func (f finder) named(name string) (family, error) {
	mf, there := f.families[name]
	if !there {
		if _, fresh := f.announced[name]; fresh {
			return family{}, nil
		}
		return family{}, fault.New(fault.Unavailable, "the service's metrics have no %s; there is: %s", name, f.list())
	}
	if t := mf.GetType(); t != dto.MetricType_COUNTER && t != dto.MetricType_UNTYPED && t != dto.MetricType_HISTOGRAM {
		return family{}, fault.New(fault.Unavailable, "%s of the service's metrics is a %s, not a counter", name, strings.ToLower(t.String()))
	}
	found := f.labelled(name, mf)
	if found.code == "" {
		return family{}, fault.New(fault.Unavailable, "%s of the service's metrics has no label with the status", name).
			Hint("known: %s", strings.Join(codeLabels(), ", "))
	}
	return found, nil
}

// latency is the histogram of latencies that can be trusted beside the counter.
func (f finder) latency(requests family) (family, bool) {
	if f.names.Latency != "" {
		mf, there := f.families[f.names.Latency]
		return f.labelled(f.names.Latency, mf), there && mf.GetType() == dto.MetricType_HISTOGRAM
	}
	histograms := f.all(dto.MetricType_HISTOGRAM, isLatency, false)
	best := foremost(histograms)
	if len(best) != 1 || best[0].path == "" && requests.path != "" {
		return family{}, false
	}
	return best[0], true
}

// all are the families of that type and sort of name. One that has no series yet
// is taken for one with all labels: when it has some, it must not take the place
// of another that was read before.
func (f finder) all(kind dto.MetricType, is func(string) bool, coded bool) (found []family) {
	for name, mf := range f.families {
		if mf.GetType() != kind || !is(name) {
			continue
		}
		if candidate := f.labelled(name, mf); !coded || candidate.code != "" {
			found = append(found, candidate)
		}
	}
	for name, t := range f.announced {
		if _, there := f.families[name]; !there && t == strings.ToLower(kind.String()) && is(name) {
			found = append(found, family{name: name, code: codeLabels()[0], path: pathLabels()[0]})
		}
	}
	return found
}

func isRequests(name string) bool { return strings.HasSuffix(name, "requests_total") }

func isLatency(name string) bool {
	return strings.Contains(name, "request_duration_seconds") || strings.Contains(name, "latency_seconds")
}

func (f finder) labelled(name string, mf *dto.MetricFamily) family {
	found := family{MetricFamily: mf, name: name}
	has := map[string]bool{}
	for _, m := range mf.GetMetric() {
		for _, l := range m.GetLabel() {
			has[l.GetName()] = true
		}
	}
	found.code = pick(has, f.names.CodeLabel, codeLabels())
	found.path = pick(has, f.names.PathLabel, pathLabels())
	return found
}

func pick(has map[string]bool, named string, known []string) string {
	if named != "" {
		known = []string{named}
	}
	for _, label := range known {
		if has[label] {
			return label
		}
	}
	return ""
}

// foremost are those of the best rank: one, or a tie.
func foremost(families []family) []family {
	var best []family
	least := -1
	for _, f := range families {
		switch r := rank(f); {
		case least < 0 || r < least:
			best, least = []family{f}, r
		case r == least:
			best = append(best, f)
		}
	}
	return best
}

// rank is how likely a family is to be the right one; 0 is the best.
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
	if f.path == "" {
		r += 3
	}
	return r
}

func enumerate(families []family) string {
	var names []string
	for _, f := range families {
		names = append(names, f.name)
	}
	return fault.Enumerate(names)
}

// list names the families there are, for people.
func (f finder) list() string {
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
