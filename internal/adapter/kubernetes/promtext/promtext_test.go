package promtext

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func countAt(b []port.Bucket, le float64) int64 {
	for _, bucket := range b {
		if bucket.Le == le {
			return bucket.Count
		}
	}
	return -1
}

// The metrics of the Go example.
func TestRead_RetailExample(t *testing.T) {
	s, err := Read(bytes.NewReader(readTestdata(t, "retail.txt")), MetricNames{}, ProbePaths())
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests != 100 || s.Errors != 4 {
		t.Errorf("got %d requests, %d errors, want 100, 4", s.Requests, s.Errors)
	}
	inf := math.Inf(1)
	if len(s.Latency) != 15 || countAt(s.Latency, 0.0025) != 96 || countAt(s.Latency, 0.05) != 99 || countAt(s.Latency, 2.5) != 99 || countAt(s.Latency, inf) != 100 {
		t.Errorf("latency = %v, want 15 buckets up to 100", s.Latency)
	}
	all, err := Read(bytes.NewReader(readTestdata(t, "retail.txt")), MetricNames{}, nil)
	if err != nil || all.Requests != 143 || all.Errors != 5 || countAt(all.Latency, inf) != 143 {
		t.Errorf("without excluded paths: %+v, %v; want 143 requests, 5 errors", all, err)
	}
	if s, err = Read(bytes.NewReader(readTestdata(t, "retail.txt")), MetricNames{}, ProbePaths("/predict/")); err != nil || s.Requests != 0 || s.Latency != nil {
		t.Errorf("with /predict excluded: %+v, %v; want no requests", s, err)
	}
}

// The metrics of prometheus-fastapi-instrumentator 8.1: status codes are classes, and
// there is a second histogram without paths.
func TestRead_FastAPI(t *testing.T) {
	s, err := Read(bytes.NewReader(readTestdata(t, "fastapi.txt")), MetricNames{}, ProbePaths())
	if err != nil || s.Requests != 14 || s.Errors != 3 || countAt(s.Latency, math.Inf(1)) != 14 || len(s.Latency) != 4 {
		t.Errorf("Read(fastapi.txt) = %+v, %v; want 14 requests, 3 errors, 4 buckets up to 14", s, err)
	}
	s, err = Read(bytes.NewReader(readTestdata(t, "fastapi-fresh.txt")), MetricNames{}, ProbePaths())
	if diff := cmp.Diff(port.Sample{}, s); err != nil || diff != "" {
		t.Errorf("before the first request: %v, (-want +got):\n%s", err, diff)
	}
}

func TestRead(t *testing.T) {
	const duration = "# TYPE d_request_duration_seconds histogram\n" +
		`d_request_duration_seconds_bucket{path="/p",le="1"} 3` + "\n" + `d_request_duration_seconds_bucket{path="/p",le="+Inf"} 4` + "\n" +
		`d_request_duration_seconds_count{path="/p"} 4` + "\n" + `d_request_duration_seconds_sum{path="/p"} 4` + "\n"
	measured := []port.Bucket{{Le: 1, Count: 3}, {Le: math.Inf(1), Count: 4}}
	cases := map[string]struct {
		text  string
		names MetricNames
		want  port.Sample
	}{
		"with paths before without": {
			text: "# TYPE http_requests_total counter\nhttp_requests_total{code=\"500\"} 9\n# TYPE app_requests_total counter\napp_requests_total{code=\"503\",route=\"/p\"} 4\n",
			want: port.Sample{Requests: 4, Errors: 4},
		},
		"http_requests_total before others": {
			text: "# TYPE db_requests_total counter\ndb_requests_total{code=\"500\"} 9\n# TYPE x_http_requests_total counter\nx_http_requests_total{code=\"200\"} 4\n",
			want: port.Sample{Requests: 4},
		},
		"counter without status label": {
			text: "# TYPE http_requests_total counter\nhttp_requests_total{path=\"/a\"} 9\n# TYPE a_requests_total counter\na_requests_total{http_status=\"5XX\"} 4\n",
			want: port.Sample{Requests: 4, Errors: 4},
		},
		"named": {
			text:  "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/\"} 9\n# TYPE served counter\nserved{result=\"500\",verb=\"/a\"} 4\nserved{result=\"200\",verb=\"GET /ready?full=1\"} 7\n",
			names: MetricNames{Requests: "served", CodeLabel: "result", PathLabel: "verb"},
			want:  port.Sample{Requests: 4, Errors: 4},
		},
		"named without a type": {
			text: "served{code=\"200\"} 4\n", names: MetricNames{Requests: "served"}, want: port.Sample{Requests: 4},
		},
		"latency by path": {
			text: "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/p\"} 4\n" + duration,
			want: port.Sample{Requests: 4, Latency: measured},
		},
		"latency without paths": {
			text: "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/p\"} 4\n" + strings.ReplaceAll(duration, `path="/p"`, `x="y"`),
			want: port.Sample{Requests: 4},
		},
		"two histograms": {
			text: "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/p\"} 4\n" + duration + strings.ReplaceAll(duration, "d_", "e_"),
			want: port.Sample{Requests: 4},
		},
		"two histograms, one named": {
			text:  "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/p\"} 4\n" + duration + strings.ReplaceAll(duration, "d_", "e_"),
			names: MetricNames{Latency: "e_request_duration_seconds"},
			want:  port.Sample{Requests: 4, Latency: measured},
		},
		"OpenTelemetry histogram": {
			text: strings.NewReplacer("d_request", "http_server_request", `path="/p"`, `http_response_status_code="502",http_route="/p"`).Replace(duration),
			want: port.Sample{Requests: 4, Errors: 4, Latency: measured},
		},
		"declared without series, before one with requests": {
			text: "# TYPE http_requests_total counter\n# TYPE db_requests_total counter\ndb_requests_total{code=\"500\"} 9\n",
		},
		"declared without series": {text: "# TYPE http_requests_total counter\n# TYPE up gauge\nup 1\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Read(strings.NewReader(c.text), c.names, ProbePaths())
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("Read: %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRead_Unreadable(t *testing.T) {
	const counter = "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} "
	cases := map[string]struct {
		text    string
		names   MetricNames
		wantErr string
	}{
		"nothing":            {"", MetricNames{}, "found: none"},
		"no such family":     {"# TYPE up gauge\nup 1\n# TYPE jobs_total counter\njobs_total 1\n", MetricNames{}, "found: jobs_total, up"},
		"a name not there":   {"# TYPE up gauge\nup 1\n", MetricNames{Requests: "served"}, "have no served; found: up"},
		"a gauge":            {"# TYPE up gauge\nup 1\n", MetricNames{Requests: "up"}, "is a gauge"},
		"without a status":   {"# TYPE up counter\nup 1\n", MetricNames{Requests: "up"}, "no status label"},
		"a tie":              {"# TYPE a_requests_total counter\na_requests_total{code=\"2\"} 1\n# TYPE b_requests_total counter\nb_requests_total{code=\"2\"} 1\n", MetricNames{}, "count requests: a_requests_total, b_requests_total"},
		"a page":             {"<html>\n", MetricNames{}, "read the service's metrics"},
		"NaN":                {counter + "NaN\n", MetricNames{}, "NaN is not a valid number of requests"},
		"negative":           {counter + "-1\n", MetricNames{}, "-1 is not a valid number"},
		"endless":            {counter + "1e300\n", MetricNames{}, "1e+300 is not a valid number"},
		"too large":          {strings.Repeat("# a comment\n", MaxBytes/12+1), MetricNames{}, "larger than 8 MiB"},
		"a falling bucket":   {counter + "1\n" + histogramText(`{le="1"} 5`, `{le="2"} 4`), MetricNames{}, "not in order"},
		"different buckets":  {counter + "1\n" + histogramText(`{a="1",le="1"} 5`, `{a="2",le="2"} 4`), MetricNames{}, "different buckets"},
		"the same limit":     {counter + "1\n" + histogramText(`{le="1"} 5`, `{le="1.0"} 5`), MetricNames{}, "not in order"},
		"more than all":      {counter + "1\n" + histogramText(`{le="1"} 7`), MetricNames{}, "not in order"},
		"a bucket below all": {counter + "1\n" + histogramText(`{le="1"} -1`), MetricNames{}, "metrics"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.text), c.names, ProbePaths())
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("Read: %v, want %q in the error", err, c.wantErr)
			}
		})
	}
}

// histogramText returns a latency histogram in which every series counts six.
func histogramText(buckets ...string) string {
	text := "# TYPE latency_seconds histogram\n"
	for _, b := range buckets {
		text += "latency_seconds_bucket" + b + "\n"
		labels, _, _ := strings.Cut(b, "le=")
		text += "latency_seconds_count" + labels + "} 6\n"
	}
	return text
}

func TestAddSub(t *testing.T) {
	inf := math.Inf(1)
	mk := func(requests, errors, fast, all int64) port.Sample {
		return port.Sample{Requests: requests, Errors: errors, Latency: []port.Bucket{{Le: 1, Count: fast}, {Le: inf, Count: all}}}
	}
	other := port.Sample{Requests: 5, Latency: []port.Bucket{{Le: 2, Count: 1}, {Le: inf, Count: 5}}}
	same := func(name string, got, want port.Sample) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	a, b := mk(10, 1, 8, 10), mk(5, 2, 1, 5)
	same("sum", Add(a, port.Sample{}, b), mk(15, 3, 9, 15))
	same("the parts stay", a, mk(10, 1, 8, 10))
	same("no replica", Add(), port.Sample{})
	same("different limits", Add(a, other), port.Sample{Requests: 15, Errors: 1})
	same("different limits, and more", Add(a, other, a), port.Sample{Requests: 25, Errors: 2})
	same("one without", Add(a, port.Sample{Requests: 3}), port.Sample{Requests: 13, Errors: 1})
	same("no overflow", Add(port.Sample{Requests: maxCount}, port.Sample{Requests: maxCount}), port.Sample{Requests: maxCount})

	same("delta", Sub(mk(15, 3, 9, 15), a), mk(5, 2, 1, 5))
	same("nothing new", Sub(a, a), mk(0, 0, 0, 0))
	same("first", Sub(a, port.Sample{}), a)
	same("begun anew", Sub(b, a), b)
	same("fewer errors", Sub(mk(15, 0, 9, 15), a), mk(15, 0, 9, 15))
	same("a lower bucket", Sub(mk(15, 3, 2, 15), a), mk(15, 3, 2, 15))
	same("other limits", Sub(port.Sample{Requests: 15, Errors: 3, Latency: other.Latency}, a), port.Sample{Requests: 15, Errors: 3, Latency: other.Latency})
}

// For any metrics text, Read returns consistent figures or fault.Unavailable.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"retail.txt", "fastapi.txt", "fastapi-fresh.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("# TYPE http_requests_total counter\nhttp_requests_total{code=\"500\"} 1e15\nhttp_requests_total{code=\"500\"} 9e15\n" + histogramText(`{le="1"} 5`, `{le="+Inf"} 6`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text), MetricNames{}, ProbePaths())
		if err != nil {
			if !fault.Is(err, fault.Unavailable) {
				t.Fatalf("error = %v, want kind %s", err, fault.Unavailable)
			}
			return
		}
		if s.Requests < 0 || s.Errors < 0 || s.Errors > s.Requests {
			t.Fatalf("requests = %d, errors = %d, want 0 <= errors <= requests", s.Requests, s.Errors)
		}
		last := port.Bucket{Le: math.Inf(-1)}
		for _, b := range s.Latency {
			if !(b.Le > last.Le) || b.Count < last.Count {
				t.Fatalf("latency = %v, want ascending buckets", s.Latency)
			}
			last = b
		}
		if len(s.Latency) > 0 && !math.IsInf(last.Le, 1) {
			t.Fatalf("latency = %v, want +Inf last", s.Latency)
		}
		if got := Sub(Add(s, s), s); got.Requests > s.Requests || got.Errors > 2*s.Errors {
			t.Fatalf("twice %+v minus once = %+v, want no more than once", s, got)
		}
	})
}
