// Package promtext reads from a service's own /metrics what its users got. It is
// pure: text in, numbers out.
//
// Services name their metrics as they like, so that the right families have to be
// found. Of all counters whose name ends in requests_total and which have a label
// with the status, the right one is the one with a label for the path, before
// one without (it can't tell users from probes); then the one called
// http_requests_total, before one whose name ends so, before others. What is
// still a tie is an error that says which there are: name it then. The histogram
// of latencies (request_duration_seconds or latency_seconds somewhere in its
// name) is found in the same way; a tie there, or one without paths beside a
// counter with them, leaves the latency unmeasured, for wrong figures are worse
// than none. Where there is no such counter, a histogram with a label for the
// status is both, as OpenTelemetry does it.
package promtext

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// MaxBytes is how many bytes of text are read.
const MaxBytes = 8 << 20

// MetricNames are the names in a service's metrics; what is empty is looked for.
type MetricNames struct {
	Requests  string // counter, or a histogram
	Latency   string // histogram, in seconds
	CodeLabel string // label with the status: "503" or "5xx"
	PathLabel string // label with the path
}

// ProbePaths are the paths that no user asks for, and those given.
func ProbePaths(more ...string) []string {
	return append([]string{"/health", "/healthz", "/ready", "/readyz", "/livez", "/live", "/metrics", "/model/info"}, more...)
}

// Read sums up one text in Prometheus's format without the excluded paths. A
// service that has not been asked yet is an empty Sample. A text that can't be
// read, or without a family of requests, is fault.Unavailable.
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

// declaredTypes are the families that the text gives a type to: a fresh service may
// have no series of them yet, and the parser drops those.
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

// family is one that was chosen, with its labels.
type family struct {
	*dto.MetricFamily
	name, codeLabel, pathLabel string // labels; empty: it has none
}

// excludePaths tells whether a series is of an excluded path.
func excludePaths(exclude []string) func(f family, m *dto.Metric) bool {
	var paths []string
	for _, path := range exclude {
		paths = append(paths, normalizePath(path))
	}
	return func(f family, m *dto.Metric) bool {
		return f.pathLabel != "" && slices.Contains(paths, normalizePath(labelValue(m, f.pathLabel)))
	}
}

// normalizePath is a path without its query, method and last slash.
func normalizePath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if i := strings.LastIndex(path, " "); i >= 0 {
		path = path[i+1:]
	}
	return strings.TrimRight(path, "/")
}

func labelValue(m *dto.Metric, label string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == label {
			return l.GetValue()
		}
	}
	return ""
}

// isServerError tells whether a status is a server's error.
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

// metricValue is a counter's value, or how many a histogram has seen.
func metricValue(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	}
	return sampleCount(m.GetHistogram())
}

// sampleCount is a histogram's count, which is a float once any of its numbers is one.
func sampleCount(h *dto.Histogram) float64 {
	return uintOrFloat(h.GetSampleCount(), h.GetSampleCountFloat())
}

func uintOrFloat(n uint64, f float64) float64 {
	if n != 0 {
		return float64(n)
	}
	return f
}

// maxCount is up to where a float64 counts every request.
const maxCount = 1 << 53

func toCount(f float64) (int64, error) {
	if !(f >= 0 && f <= maxCount) {
		return 0, fmt.Errorf("%g is no number of requests", f)
	}
	return int64(f), nil
}

// addCapped adds without running over.
func addCapped(a, b int64) int64 { return min(a+b, maxCount) }
