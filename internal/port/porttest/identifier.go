package porttest

import (
	"context"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// IdentifierFixture is a target that can prove which release responds.
type IdentifierFixture struct {
	TargetFixture
	// Intrude puts something else behind the address of the deployed release, next to
	// it, and returns a function that undoes it; nil: not possible here.
	Intrude func(t *testing.T, deployed port.Observation, current, previous port.DeployRequest) (undo func())
}

// TestIdentifier tests a target against the contract of port.Identifier.
func TestIdentifier(t *testing.T, make func(t *testing.T) IdentifierFixture) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, IdentifierFixture)
	}{
		{"nothing deployed", testIdentifyNothing},
		{"staged and promoted", testIdentifyLife},
		{"discarded", testIdentifyDiscarded},
		{"another behind the address", testIdentifyIntruder},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, make(t)) })
	}
}

func identify(f IdentifierFixture, o port.DeployRequest, url string) (port.Proof, error) {
	return f.Target.(port.Identifier).Identify(context.Background(), o, url)
}

func wantProof(t *testing.T, f IdentifierFixture, o port.DeployRequest, url string) port.Proof {
	t.Helper()
	first, err := identify(f, o, url)
	if err != nil {
		t.Fatalf("identify %s at %s: %v", o.ID, url, err)
	}
	if first.Method == "" || first.State == "" {
		t.Errorf("proof = %+v, want a method and a state", first)
	}
	again, err := identify(f, o, url)
	if err != nil || again.State != first.State {
		t.Errorf("second proof = %+v (%v), want the state of the first, %q", again, err, first.State)
	}
	return first
}

// wantNoProof is that the release is refuted, or at least not proved.
func wantNoProof(t *testing.T, f IdentifierFixture, o port.DeployRequest, url string) {
	t.Helper()
	proof, err := identify(f, o, url)
	if !fault.Is(err, fault.Failed) && !fault.Is(err, fault.Unavailable) {
		t.Errorf("identify %s at %s = %+v (%v), want an error of kind %s or %s", o.ID, url, proof, err, fault.Failed, fault.Unavailable)
	}
}

func testIdentifyNothing(t *testing.T, f IdentifierFixture) {
	wantNoProof(t, f, f.Request(Sample{Version: "a"}), "http://127.0.0.1:1")
}

func testIdentifyLife(t *testing.T, f IdentifierFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	atStage := stage(t, f.TargetFixture, a)
	before := wantProof(t, f, a, atStage)
	stable := deploy(t, f.TargetFixture, a).Address()
	serving := wantProof(t, f, a, stable)
	if serving.Method != before.Method {
		t.Errorf("method = %q when staged and %q when deployed, want the same", before.Method, serving.Method)
	}
	staged := stage(t, f.TargetFixture, b)
	wantProof(t, f, b, staged)
	wantNoProof(t, f, a, staged)
	wantNoProof(t, f, b, stable)
	wantProof(t, f, a, stable)
	stable = deploy(t, f.TargetFixture, b).Address()
	if after := wantProof(t, f, b, stable); after.State == serving.State {
		t.Errorf("state = %q for %s and for %s, want two states", after.State, a.ID, b.ID)
	}
	wantNoProof(t, f, a, stable)
	wantNoProof(t, f, b, staged)
}

func testIdentifyDiscarded(t *testing.T, f IdentifierFixture) {
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	stable := deploy(t, f.TargetFixture, a).Address()
	staged := stage(t, f.TargetFixture, b)
	if err := f.Target.Discard(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	wantNoProof(t, f, b, staged)
	wantNoProof(t, f, b, stable)
	wantProof(t, f, a, stable)
}

func testIdentifyIntruder(t *testing.T, f IdentifierFixture) {
	if f.Intrude == nil {
		t.Skip("not possible here")
	}
	a, b := f.Request(Sample{Version: "a"}), f.Request(Sample{Version: "b"})
	deploy(t, f.TargetFixture, a)
	seen := deploy(t, f.TargetFixture, b)
	wantProof(t, f, b, seen.Address())
	undo := f.Intrude(t, seen, b, a)
	wantNoProof(t, f, b, seen.Address())
	undo()
	eventually(t, func() (bool, error) {
		_, err := identify(f, b, observe(t, f.TargetFixture, b).Address())
		return err == nil, err
	})
}
