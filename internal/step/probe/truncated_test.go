package probe

import (
	"context"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

type longResponse struct{}

func (longResponse) Probe(context.Context, port.ProbeRequest) (port.ProbeResponse, error) {
	return port.ProbeResponse{Status: 200, Body: []byte(`{"release":"r-0123456789ab`), Truncated: true}, nil
}

// TestCheckSmoke_LongResponse: of a response that was cut, nothing is expected in vain, and
// nothing is true by accident.
func TestCheckSmoke_LongResponse(t *testing.T) {
	for _, c := range []struct {
		expect []string
		want   delivery.Verdict
		text   string
	}{
		{[]string{`!body.contains("error")`}, delivery.Unavailable, "returned more than"},
		{nil, delivery.Passed, "returned 200"},
	} {
		smoke, err := CompileChecks([]step.Check{{Name: "long", Path: "/a", Status: 200, Expect: c.expect}}, variables(nil))
		if err != nil {
			t.Fatal(err)
		}
		results, err := Checker{Prober: longResponse{}}.CheckSmoke(t.Context(), step.Request{}, "http://api.test", Expectation{Smoke: smoke})
		if len(results) != 1 || results[0].Verdict != c.want || !strings.Contains(results[0].Evidence, c.text) {
			t.Errorf("expecting %q: %+v, %v, want %s", c.expect, results, err, c.want)
		}
	}
}

// TestEvaluateHealth_LongResponse: what names a release somewhere may name another one. A
// page that names nothing is healthy, however long.
func TestEvaluateHealth_LongResponse(t *testing.T) {
	w := Expectation{Release: "r-0123456789ab", HealthPath: "/health"}
	cut := port.ProbeResponse{Status: 200, Body: []byte(` {"release":"r-`), Truncated: true}
	if got := evaluateHealth(cut, w); !strings.Contains(got.problem, "unknown") {
		t.Errorf("problem = %q, want that its release is unknown", got.problem)
	}
	cut.Body = []byte("<html>")
	if got := evaluateHealth(cut, w); got.problem != "" {
		t.Errorf("a long page: problem = %q, want none", got.problem)
	}
}
