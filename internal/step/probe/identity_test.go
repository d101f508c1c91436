package probe

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/step"
)

// script responds with one body after the other, and repeats the last one.
type script struct {
	bodies []string
	asked  int
}

func (s *script) Probe(context.Context, port.ProbeRequest) (port.ProbeResponse, error) {
	s.asked++
	return port.ProbeResponse{Status: 200, Body: []byte(s.bodies[min(s.asked, len(s.bodies))-1])}, nil
}

// proofs gives one proof after the other: a state, or an error that begins with "!";
// it repeats the last one.
type proofs struct {
	states []string
	asked  int
}

func (p *proofs) identify(_ context.Context, url string) (port.Proof, error) {
	p.asked++
	state := p.states[min(p.asked, len(p.states))-1]
	switch state {
	case "!refuted":
		return port.Proof{}, fault.New(fault.Failed, "%s leads to r-old", url)
	case "!unknown":
		return port.Proof{}, fault.New(fault.Unavailable, "no permission").Infrastructure()
	}
	return port.Proof{Method: port.ProofBySocket, Detail: "2 replicas", State: state}, nil
}

func TestCheck_Identity(t *testing.T) {
	const (
		release = "r-0123456789ab"
		named   = `{"status":"ok","release":"r-0123456789ab","model_version":"7"}`
		old     = `{"status":"ok","release":"r-aaaaaaaaaaaa","model_version":"6"}`
	)
	for _, c := range []struct {
		name      string
		bodies    []string
		proofs    []string // nil: the target can't prove anything
		shared    bool     // others may respond, too
		requests  int      // 0: until the timeout
		verdict   delivery.Verdict
		says      string
		proofsMax int
	}{
		{"named: no proof needed", []string{named}, []string{"!refuted"}, false, 3, delivery.Passed, "with model m:7", 0},
		{"named, on a target that can't prove", []string{named}, nil, false, 3, delivery.Passed, "r-0123456789ab", 0},
		{"plain text", []string{"OK"}, []string{"a"}, false, 4, delivery.Passed, "identity by socket (2 replicas)", 2},
		{"empty", []string{""}, []string{"a"}, true, 4, delivery.Passed, "identity by socket", 2},
		{"only the status", []string{`{"status":"healthy"}`}, []string{"a"}, false, 4, delivery.Passed, "identity by socket", 2},
		{"the model only", []string{`{"model_version":"7"}`}, []string{"a"}, false, 4, delivery.Passed, "with model m:7", 2},
		{"not provable here", []string{"OK"}, nil, false, 1, delivery.Unavailable, "can't tell which release responds", 0},
		{"refuted at its own address", []string{"OK"}, []string{"!refuted"}, false, 3, delivery.Failed, "leads to r-old", 3},
		{"refuted at a shared address, for a while", []string{"OK"}, []string{"!refuted", "!refuted", "!refuted", "!refuted", "a"}, true, 8, delivery.Passed, "identity", 6},
		{"refuted at a shared address", []string{"OK"}, []string{"!refuted"}, true, 0, delivery.Failed, "leads to r-old", 99},
		{"unknown", []string{"OK"}, []string{"!unknown"}, false, 0, delivery.Unavailable, "no permission", 99},
		{"unknown at the end", []string{"OK"}, []string{"a", "!unknown"}, false, 0, delivery.Unavailable, "no permission", 99},
		{"scale-up of the old release in between", []string{"OK"}, []string{"a", "b"}, true, 7, delivery.Passed, "identity", 3},
		{"back to the same in between", []string{"OK"}, []string{"a", "b", "a"}, true, 10, delivery.Passed, "identity", 4},
		{"an old replica that names itself", []string{"OK", "OK", old, "OK"}, []string{"a"}, true, 6, delivery.Passed, "identity", 2},
		{"only the old one names itself", []string{old}, []string{"a"}, true, 0, delivery.Failed, "release r-aaaaaaaaaaaa responded", 0},
		{"some responses are named", []string{named, "OK", named}, []string{"a"}, true, 5, delivery.Passed, "3 healthy", 0},
		{"a wrong model", []string{`{"model_version":"6"}`}, []string{"a"}, false, 3, delivery.Failed, `model version "6", not 7`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				prober, proofs := &script{bodies: c.bodies}, &proofs{states: c.proofs}
				want := Expectation{Release: release, Model: &delivery.ModelRef{Group: "m", Version: 7}, Timeout: 20 * time.Second, Exclusive: !c.shared}
				if c.proofs != nil {
					want.Identify = proofs.identify
				}
				report, err := Checker{Prober: prober}.Check(t.Context(), step.Request{}, "http://api.test", want)
				if len(report.GateResults) != 1 {
					t.Fatalf("gate results = %v (%v), want one", report.GateResults, err)
				}
				got := report.GateResults[0]
				if got.Verdict != c.verdict || !strings.Contains(got.Evidence, c.says) || (err == nil) != (c.verdict == delivery.Passed) {
					t.Errorf("result = %+v, error = %v, want %s with %q", got, err, c.verdict, c.says)
				}
				if c.requests > 0 && prober.asked != c.requests {
					t.Errorf("requests = %d, want %d", prober.asked, c.requests)
				}
				if c.proofsMax < 99 && proofs.asked != c.proofsMax && c.name != "some responses are named" {
					t.Errorf("proofs = %d, want %d", proofs.asked, c.proofsMax)
				}
				if by := report.Identity; (by == port.ProofBySocket) != strings.Contains(got.Evidence, "identity by socket") {
					t.Errorf("identity = %q, evidence %q", by, got.Evidence)
				}
				if c.says == "no permission" && !fault.IsInfrastructure(err) {
					t.Errorf("error = %v, want a failure of the infrastructure", err)
				}
			})
		})
	}
}

// TestCheck_IdentityNeverSettles: what changes all the time is never proved.
func TestCheck_IdentityNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		want := Expectation{Release: "r-0123456789ab", Timeout: 5 * time.Second, Identify: func(context.Context, string) (port.Proof, error) {
			n++
			return port.Proof{Method: port.ProofByPod, State: fmt.Sprint(n)}, nil
		}}
		report, err := Checker{Prober: &script{bodies: []string{"OK"}}}.Check(t.Context(), step.Request{}, "http://api.test", want)
		if err == nil || report.GateResults[0].Verdict == delivery.Passed {
			t.Errorf("result = %v, error = %v, want that it does not pass", report.GateResults, err)
		}
	})
}
