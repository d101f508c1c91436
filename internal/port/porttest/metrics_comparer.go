package porttest

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestMetricsComparer proves what port.MetricsComparer promises of a target that is one.
func TestMetricsComparer(t *testing.T, make func(t *testing.T) TargetFixture) {
	f := make(t)
	c, ok := f.Target.(port.MetricsComparer)
	if !ok {
		t.Fatalf("%T is no port.Comparer", f.Target)
	}
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	url := deploy(t, f, a).Address()
	send(t, url, "/slow?ms=1", 5) // before the window
	candidate := stage(t, f, b)
	since := time.Now()
	compare := func(since time.Time) (of, beside port.Sample) {
		t.Helper()
		of, beside, err := c.Compare(context.Background(), b, since)
		if err != nil {
			t.Fatal(err)
		}
		return of, beside
	}
	if of, beside := compare(since); of.Requests != 0 || beside.Requests != 0 {
		t.Errorf("a window that just began has %d and %d requests", of.Requests, beside.Requests)
	}
	send(t, url, "/slow?ms=10", 12)
	send(t, url, "/status?code=500", 3)
	send(t, url, "/status?code=404", 1)
	send(t, candidate, "/slow?ms=10", 7)
	send(t, candidate, "/status?code=503", 2)
	eventually(t, func() (bool, error) {
		of, beside := compare(since)
		if of.Requests != 9 || beside.Requests != 16 {
			return false, fmt.Errorf("%d and %d requests, want 9 and 16", of.Requests, beside.Requests)
		}
		if of.Errors != 2 || beside.Errors != 3 {
			return false, fmt.Errorf("%d and %d errors, want 2 and 3 (a 404 is none)", of.Errors, beside.Errors)
		}
		return true, nil
	})
	of, beside := compare(since)
	wantLatency(t, of)
	wantLatency(t, beside)
	if _, err := f.Target.Promote(context.Background(), b, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if _, beside := compare(time.Now()); beside.Requests != 0 {
		t.Errorf("nothing is beside it, but it answered %d requests", beside.Requests)
	}
}

// send asks a path so many times, evenly or not over the replicas.
func send(t *testing.T, url, path string, times int) {
	t.Helper()
	lone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for range times {
		resp, err := lone.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// wantLatency is that buckets, where they are measured, are a histogram.
func wantLatency(t *testing.T, s port.Sample) {
	t.Helper()
	if len(s.Latency) == 0 {
		return
	}
	for i, b := range s.Latency[1:] {
		if before := s.Latency[i]; b.Le <= before.Le || b.Count < before.Count {
			t.Errorf("the buckets do not ascend: %+v", s.Latency)
		}
	}
	if last := s.Latency[len(s.Latency)-1]; !math.IsInf(last.Le, 1) || last.Count != s.Requests {
		t.Errorf("the last bucket is %+v, want all %d requests", last, s.Requests)
	}
}
