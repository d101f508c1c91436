// Package promtext reads request counts, errors and latencies from a service's
// /metrics. It is pure: text in, numbers out.
//
// Services name their metrics as they like, so the right families have to be
// discovered. Among the counters whose name ends in requests_total and that have a
// status label, those with a path label take precedence, as the others cannot tell
// users from probes; then the one named http_requests_total, then names ending so,
// then others. A tie is an error that lists the candidates. The latency histogram
// (request_duration_seconds or latency_seconds in its name) is discovered in the same
// way, except that after a tie, or if it lacks the paths that the counter has,
// latency is not measured: wrong figures are worse than none. Without such a counter,
// a histogram with a status label serves as both, as in OpenTelemetry.
package promtext

import (
	"bytes"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MaxBytes is the maximum size of the text.
const MaxBytes = 8 << 20

// ProbePaths returns the paths that no user requests, and those given.
func ProbePaths(more ...string) []string {
	return append([]string{"/health", "/healthz", "/ready", "/readyz", "/livez", "/live", "/metrics", "/model/info"}, more...)
}

// Read sums up a text in Prometheus's format, without the excluded paths. For a
// service without requests yet, it returns an empty Sample. A text that cannot be
// parsed or counts no requests is fault.Unavailable.
func Read(r io.Reader, n MetricNames, exclude []string) (port.Sample, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	switch {
	case err != nil:
		return port.Sample{}, fault.New(fault.Unavailable, "read the service's metrics").Cause(err)
	case len(text) > MaxBytes:
		return port.Sample{}, fault.New(fault.Unavailable, "the service's metrics are larger than %d MiB", MaxBytes>>20)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return port.Sample{}, fault.New(fault.Unavailable, "read the service's metrics").Cause(err)
	}
	f := selector{families: families, declaredTypes: declaredTypes(text), names: n}
	requests, err := f.selectRequests()
	if err != nil {
		return port.Sample{}, err
	}
	skip := excludePaths(exclude)
	s, err := countRequests(requests, skip)
	if err != nil {
		return port.Sample{}, err
	}
	if latency, ok := f.selectLatency(requests); ok {
		s.Latency, err = mergeHistograms(latency, skip)
	}
	return s, err
}

// declaredTypes returns the types that the text declares: the parser drops families
// without series, which a new service may have.
func declaredTypes(text []byte) map[string]string {
	types := map[string]string{}
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("# TYPE ")) {
			continue
		}
		if words := strings.Fields(string(line)); len(words) == 4 {
			types[words[2]] = words[3]
		}
	}
	return types
}

// excludePaths returns a function that reports whether a series is of an excluded
// path.
func excludePaths(exclude []string) func(f family, m *dto.Metric) bool {
	var paths []string
	for _, path := range exclude {
		paths = append(paths, normalizePath(path))
	}
	return func(f family, m *dto.Metric) bool {
		return f.pathLabel != "" && slices.Contains(paths, normalizePath(labelValue(m, f.pathLabel)))
	}
}

// normalizePath strips the query, the method and trailing slashes.
func normalizePath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if i := strings.LastIndex(path, " "); i >= 0 {
		path = path[i+1:]
	}
	return strings.TrimRight(path, "/")
}

// isServerError reports whether a status code is a 5xx.
func isServerError(code string) bool { return len(code) == 3 && code[0] == '5' }

func countRequests(f family, skip func(family, *dto.Metric) bool) (port.Sample, error) {
	var s port.Sample
	for _, m := range f.GetMetric() {
		if skip(f, m) {
			continue
		}
		n, err := toCount(metricValue(m))
		if err != nil {
			return port.Sample{}, fault.New(fault.Unavailable, "read %s of the service's metrics", f.name).Cause(err)
		}
		s.Requests = addCapped(s.Requests, n)
		if isServerError(labelValue(m, f.codeLabel)) {
			s.Errors = addCapped(s.Errors, n)
		}
	}
	return s, nil
}
