package latency_test

import (
	"math"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/local/latency"
	"github.com/slipway-cd/slipway/internal/delivery"
)

const a, b = "r-aaaaaaaaaaaa", "r-bbbbbbbbbbbb"

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func TestTraffic_QuantilesWithinSixPercent(t *testing.T) {
	var m latency.Recorder
	for i := 1; i <= 1000; i++ {
		m.RecordResponse(a, start, 200, time.Duration(i)*time.Millisecond)
	}
	got := m.Traffic(a, start, start)
	if got.Requests != 1000 || got.Errors != 0 {
		t.Fatalf("traffic = %d requests, %d errors; want 1000, 0", got.Requests, got.Errors)
	}
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{{"p50", got.P50, 500 * time.Millisecond}, {"p95", got.P95, 950 * time.Millisecond}, {"p99", got.P99, 990 * time.Millisecond}} {
		if off := math.Abs(float64(c.got-c.want)) / float64(c.want); off > 0.06 {
			t.Errorf("%s = %v, want %v: off by %.1f %%", c.name, c.got, c.want, 100*off)
		}
	}
}

func TestTraffic_Window(t *testing.T) {
	var m latency.Recorder
	m.RecordResponse(a, start, 200, time.Millisecond)
	m.RecordResponse(a, start.Add(10*time.Second), 503, time.Millisecond)
	m.RecordFailure(a, start.Add(20*time.Second))
	m.RecordResponse(b, start.Add(20*time.Second), 404, time.Millisecond)
	now := start.Add(30 * time.Second)
	cases := []struct {
		name             string
		release          delivery.ReleaseID
		since, now       time.Time
		requests, errors int64
	}{
		{"all", a, start, now, 3, 2},
		{"later", a, start.Add(5 * time.Second), now, 2, 2},
		{"after the last", a, start.Add(21 * time.Second), now, 0, 0},
		{"a 404 is an answer", b, start, now, 1, 0},
		{"unknown release", "r-cccccccccccc", start, now, 0, 0},
		{"an hour later", a, start, start.Add(latency.Retention + 15*time.Second), 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := m.Traffic(c.release, c.since, c.now)
			if got.Requests != c.requests || got.Errors != c.errors {
				t.Errorf("traffic = %d requests, %d errors; want %d, %d", got.Requests, got.Errors, c.requests, c.errors)
			}
		})
	}
}

func TestTraffic_ReusesExpiredBucket(t *testing.T) {
	var m latency.Recorder
	m.RecordResponse(a, start, 500, time.Millisecond)
	later := start.Add(latency.Retention)
	m.RecordResponse(a, later, 200, time.Millisecond)
	if got := m.Traffic(a, start, later); got.Requests != 1 || got.Errors != 0 {
		t.Errorf("traffic = %d requests, %d errors; want only the later request", got.Requests, got.Errors)
	}
}

func TestRecordFailure_HasNoLatency(t *testing.T) {
	var m latency.Recorder
	m.RecordFailure(a, start)
	if got := m.Traffic(a, start, start); got.P99 != 0 || got.Errors != 1 {
		t.Errorf("P99 = %v with %d errors, want 0 with 1", got.P99, got.Errors)
	}
}
