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

// TestMetricsComparer tests a target against the contract of port.MetricsComparer.
func TestMetricsComparer(t *testing.T, make func(t *testing.T) TargetFixture) {
	f := make(t)
	c, ok := f.Target.(port.MetricsComparer)
	if !ok {
		t.Fatalf("%T does not implement port.MetricsComparer", f.Target)
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
		t.Errorf("requests in a window that just began = %d and %d, want 0 and 0", of.Requests, beside.Requests)
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
		t.Errorf("requests of the current release after the promotion = %d, want 0", beside.Requests)
	}
}

// send requests a path as many times, over new connections.
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

// wantLatency fails the test unless the buckets, if there are any, are a histogram.
func wantLatency(t *testing.T, s port.Sample) {
	t.Helper()
	if len(s.Latency) == 0 {
		return
	}
	for i, b := range s.Latency[1:] {
		if before := s.Latency[i]; b.Le <= before.Le || b.Count < before.Count {
			t.Errorf("buckets = %+v, want them in ascending order", s.Latency)
		}
	}
	if last := s.Latency[len(s.Latency)-1]; !math.IsInf(last.Le, 1) || last.Count != s.Requests {
		t.Errorf("the last bucket is %+v, want all %d requests", last, s.Requests)
	}
}
