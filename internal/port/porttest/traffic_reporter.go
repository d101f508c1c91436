package porttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// TestTrafficReporter tests a target against the contract of port.TrafficReporter.
func TestTrafficReporter(t *testing.T, make func(t *testing.T) TargetFixture) {
	f := make(t)
	reporter, ok := f.Target.(port.TrafficReporter)
	if !ok {
		t.Fatalf("%T does not implement port.TrafficReporter", f.Target)
	}
	ctx := context.Background()
	o := f.Request(Sample{Version: "a"})
	before := time.Now().Add(-time.Second)
	none, err := reporter.Traffic(ctx, o.Service, o.Environment, o.ID, before)
	if err != nil || none != (port.Traffic{}) {
		t.Fatalf("traffic of a release that never was = %+v, %v; want nothing", none, err)
	}
	obs := deploy(t, f, o)
	const fine, wrong = 20, 5
	for range fine {
		get(t, obs.Address()+"/slow?ms=10")
	}
	for range wrong {
		get(t, obs.Address()+"/status?code=500")
	}
	get(t, obs.Address()+"/status?code=404")
	got := eventually(t, func() (port.Traffic, error) {
		got, err := reporter.Traffic(ctx, o.Service, o.Environment, o.ID, before)
		if err == nil && got.Requests < fine+wrong+1 {
			err = fmt.Errorf("only %d requests were counted", got.Requests)
		}
		return got, err
	})
	if got.Requests != fine+wrong+1 || got.Errors != wrong {
		t.Errorf("traffic = %d requests, %d errors; want %d, %d (a 404 is no error)", got.Requests, got.Errors, fine+wrong+1, wrong)
	}
	if got.P50 < 9*time.Millisecond || got.P50 > got.P95 || got.P95 > got.P99 {
		t.Errorf("latencies %v, %v, %v: want 9 ms or more, in order", got.P50, got.P95, got.P99)
	}
	later, err := reporter.Traffic(ctx, o.Service, o.Environment, o.ID, time.Now().Add(time.Minute))
	if err != nil || later.Requests != 0 {
		t.Errorf("traffic since a minute from now = %+v, %v; want none", later, err)
	}
	other, err := reporter.Traffic(ctx, o.Service, o.Environment, f.Request(Sample{Version: "b"}).ID, before)
	if err != nil || other.Requests != 0 {
		t.Errorf("traffic of another release = %+v, %v; want none", other, err)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// eventually repeats ask until it returns no error, for ten seconds.
func eventually[T any](t *testing.T, ask func() (T, error)) T {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		v, err := ask()
		if err == nil {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // between two looks, not instead of one
	}
}
