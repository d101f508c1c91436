package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// limits are the upper bounds of the latency's buckets, in seconds.
var limits = [...]float64{0.005, 0.025, 0.1, 0.5, 2.5}

// figures count the answers, for a target that has services tell them.
type figures struct {
	mu     sync.Mutex
	codes  map[[2]string]int // path and status
	within map[string]*[len(limits) + 1]int
	took   map[string]float64
}

// count counts what h answers. What a target asks by itself is counted too: it
// has to tell that apart by the path.
func (f *figures) count(h http.Handler) http.Handler {
	f.codes, f.within, f.took = map[[2]string]int{}, map[string]*[len(limits) + 1]int{}, map[string]float64{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, seen := time.Now(), &status{ResponseWriter: w, code: http.StatusOK}
		h.ServeHTTP(seen, r)
		f.add(r.URL.Path, seen.code, time.Since(begun).Seconds())
	})
}

func (f *figures) add(path string, code int, seconds float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes[[2]string{path, fmt.Sprint(code)}]++
	f.took[path] += seconds
	if f.within[path] == nil {
		f.within[path] = new([len(limits) + 1]int)
	}
	for i, le := range limits {
		if seconds <= le {
			f.within[path][i]++
		}
	}
	f.within[path][len(limits)]++
}

// ServeHTTP tells them in the text form of Prometheus.
func (f *figures) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(w, "# TYPE http_requests_total counter")
	for k, n := range f.codes {
		fmt.Fprintf(w, "http_requests_total{path=%q,code=%q} %d\n", k[0], k[1], n)
	}
	fmt.Fprintln(w, "# TYPE http_request_duration_seconds histogram")
	for path, counts := range f.within {
		for i, le := range limits {
			fmt.Fprintf(w, "http_request_duration_seconds_bucket{path=%q,le=\"%g\"} %d\n", path, le, counts[i])
		}
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{path=%q,le=\"+Inf\"} %d\n", path, counts[len(limits)])
		fmt.Fprintf(w, "http_request_duration_seconds_sum{path=%q} %g\n", path, f.took[path])
		fmt.Fprintf(w, "http_request_duration_seconds_count{path=%q} %d\n", path, counts[len(limits)])
	}
}

// status remembers which one was written.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the status on its way.
func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}
